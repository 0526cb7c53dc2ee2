#!/usr/bin/env python3
"""Breaks the protocol on purpose, once per row of mutants.toml, and expects the simulation to notice.

For each mutant the files that change are compiled from copies, elsewhere, with the commands that compiled the originals;
their objects are put in front of the libraries when `sim` is linked again, so that they are taken instead of the
originals; and the program runs: a few seeds, the directed schedules, the small world, then seed after seed until one
fails. The source tree is not touched. Exit 1 when the unbroken program fails or a mutant survives; 2 when a mutant's
text is not found exactly once, or it does not compile.

    mutants.py --build FOLDER [--seeds N] [--jobs N] [NAME...]
    mutants.py --build FOLDER --compile [NAME...]                 only compiles and links each one
    mutants.py --fit                                              only looks whether each one's text is there
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).with_suffix(".toml")
SEED_FAILED = re.compile(r"^(?:seed (\d+) (?:failed|aborted)|(a directed schedule|the small world) failed)(?:: (.*))?$", re.M)
FEW_SEEDS = 40
# of the mutant, not of the protocol: it would be caught by a crash
MISTAKES = ["-Werror=int-conversion", "-Werror=incompatible-pointer-types", "-Werror=implicit-function-declaration",
            "-Werror=return-type"]
RUN_CPU_S = 1200  # a mutant that goes round in circles is caught, too


class Text(Exception):
    """A mutant does not fit the source any more."""


def places(mutant):
    """(file, old, new) of each place that changes. One of `also` is [old, new] in the same file, or names another."""
    also = [place if len(place) == 3 else [mutant["file"], *place] for place in mutant.get("also", [])]
    return [(mutant["file"], mutant["old"], mutant["new"]), *map(tuple, also)]


def broken(mutant):
    """The text of each file that changes, with the mutant in it."""
    sources = {}
    for file, old, new in places(mutant):
        source = sources.get(file) or (ROOT / file).read_text()
        found = source.count(old.strip("\n"))
        if found != 1:
            raise Text(f"found {found} times in {file}: {old.strip()!r}")
        sources[file] = source.replace(old.strip("\n"), new.strip("\n"))
    return sources


def quiet(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command}:\n{done.stdout[-4000:]}")


class Workshop:
    """A configured build folder, and a scratch folder for what is broken."""

    def __init__(self, build, scratch):
        self.build = build
        self.scratch = scratch
        quiet(["ninja", "-C", build, "sim"])
        self.compilers = {pathlib.Path(row["file"]): row
                          for row in json.loads((build / "compile_commands.json").read_text())}
        commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "sim"], check=True, capture_output=True,
                                  text=True).stdout.strip().split("\n")
        self.link = commands[-1]

    def make_mutant(self, name, mutant):
        """The path of a `sim` with the mutant in it."""
        folder = self.scratch / name
        folder.mkdir()
        made = {ROOT / file: self.compiled(folder, ROOT / file, text) for file, text in broken(mutant).items()}
        return self.linked(folder / "sim", made)

    def compiled(self, folder, path, text):
        row = self.compilers[path]
        source = folder / path.name
        source.write_text(text)
        made = source.with_suffix(".o")
        words = shlex.split(row["command"])
        words[words.index("-o") + 1] = str(made)
        words[words.index(str(path))] = str(source)
        quiet([*words, "-Wno-error", *MISTAKES, "-iquote", str(path.parent)], cwd=row["directory"])
        return made

    def linked(self, program, made):
        """`sim` with these objects instead of those of the libraries, or of its own."""
        link = re.sub(r"-o \S+", f"-o {program}", self.link, count=1)
        for path, object_file in made.items():
            own = f"CMakeFiles/sim.dir/sim/{path.name}.o"
            if own in link:
                link = re.sub(rf"\S*{re.escape(own)}", str(object_file), link)
            else:
                link = link.replace("-o ", f"{object_file} -o ", 1)
        quiet(link, shell=True, cwd=self.build)
        return program


def run(program, seeds):
    """(caught, by what, where): a few seeds, the directed schedules, the small world, and all the other seeds."""
    few = min(seeds, FEW_SEEDS)
    for options in (["--seeds", few], ["--directed"], ["--exhaustive"], ["--from", few + 1, "--seeds", seeds - few]):
        done = subprocess.run([program, *map(str, options)], capture_output=True, text=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (RUN_CPU_S, RUN_CPU_S)))
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return True, "no end", " ".join(map(str, options))
        if done.returncode == 0:
            continue
        output = done.stdout + done.stderr
        found = SEED_FAILED.search(output)
        if found is None:  # nothing noticed: it died by itself, which says something of the mutant only
            return False, f"died, exit code {done.returncode}: {output.strip()[-200:]}", "?"
        return True, (found[3] or "an assertion: " + assertion(output))[:200], found[1] or found[2]
    return False, "", seeds


def assertion(output):
    lines = [line for line in output.split("\n") if "ENSURE" in line or "ensure" in line or "unreachable" in line]
    return lines[0] if lines else "died"


def fits(name, mutant):
    try:
        broken(mutant)
    except Text as error:
        print(f"mutant {name}: its text is {error}")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000, help="at most so many per mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--build", type=pathlib.Path, help="where sim is built")
    what.add_argument("--fit", action="store_true", help="only look whether each one's text is there")
    parser.add_argument("--compile", action="store_true", help="only compile and link them")
    parser.add_argument("--unbroken-seeds", type=int, default=200)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    mutants = tomllib.loads(TABLE.read_text())
    chosen = {name: mutants[name] for name in args.names} if args.names else mutants
    misfits = [name for name, mutant in mutants.items() if not fits(name, mutant)]
    if misfits or args.fit:
        return 2 if misfits else 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-mutants-") as scratch:
        workshop = Workshop(args.build.resolve(), pathlib.Path(scratch))
        if args.compile:
            return compile_all(workshop, chosen, args.jobs)
        _, why, _ = run(workshop.build / "sim", args.unbroken_seeds)
        if why:
            print(f"the unbroken program fails: {why}")
            return 1
        survivors = hunt(workshop, chosen, args)
    print(f"mutants={len(chosen)} caught={len(chosen) - survivors} missed={survivors}"
          f" seconds={time.monotonic() - started:.0f}")
    return 1 if survivors else 0


def compile_all(workshop, chosen, jobs):
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        made = {name: pool.submit(workshop.make_mutant, name, mutant) for name, mutant in chosen.items()}
        for name, program in made.items():
            if program.exception() is not None:
                failed += 1
                print(f"mutant {name}: {program.exception()}")
    print(f"mutants={len(chosen)} failed={failed}")
    return 2 if failed else 0


def try_mutant(workshop, name, mutant, seeds):
    return run(workshop.make_mutant(name, mutant), seeds)


def hunt(workshop, chosen, args):
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = {}
        for name, mutant in chosen.items():
            runs[pool.submit(try_mutant, workshop, name, mutant, args.seeds)] = name
        for done in concurrent.futures.as_completed(runs):
            caught, why, seeds = done.result()
            name = runs[done]
            survivors += not caught
            print(f"{'caught' if caught else 'MISSED':7}{name:24}seed {seeds:<9}{why}   | {chosen[name]['breaks']}",
                  flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
