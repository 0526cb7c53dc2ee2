"""Instructions per event, by callgrind: noise free, so that what makes the hot path dearer is seen at once.

    instructions.py [--build DIR]            compare with bench/instructions.json: exit 1 above +3 %
    instructions.py [--build DIR] --write    write the counts of this compiler there

Two fixed pieces of work: `handbook`, a backtest of topologies/handbook.yaml, and `job`, the benchmark's job from Avro
to the records of the tail (bench/job/job_task.c), where `commit` is what the end of a transaction costs each event.
Counts depend on the compiler, so they are kept per release and version; for an unknown one they are printed only.
Two runs of different length are subtracted: what starting costs is not an event's. The program is the one of the
simulation's build, optimised file by file, so that a step is still a function; what is shipped takes less.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import handbook_csv  # noqa: E402

EXPECTED = ROOT / "bench/instructions.json"
CUSTOMERS = 100  # 50 and 200 payments each: windows fill and empty
SHORT, LONG = 5000, 20000
TOLERANCE = 0.03
EVERYTHING = ".*PROGRAM TOTALS"


def function(name):
    """As it stands in callgrind's listing, behind its file."""
    return rf"\S*:{name} "


STEPS = {part: function(f"{part}_process") for part in ("decode", "features", "rules", "task")}


def compiler():
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text(), re.M).group(1)
    version = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{release}, gcc {version}"


def handbook(build, events, folder):
    """(what runs, what is counted: part and pattern)."""
    table = folder / f"{events}.csv"
    handbook_csv.write(table, events)
    return [build / "weir", "backtest", "topologies/handbook.yaml", "--input", table], {**STEPS, "all": EVERYTHING}


def job(build, events, _folder):
    """Without the total: the payments are made, and the oracle asked, in the same process."""
    return [build / "job_task", "bench/job/job.yaml", "schemas", str(events)], {**STEPS, "commit": function("commit")}


def count(command, parts, profile):
    """{part: instructions} of a run."""
    subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={profile}", *command], cwd=ROOT,
                   check=True, capture_output=True)
    listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no", "--threshold=100", profile],
                             capture_output=True, text=True, check=True).stdout

    def cost(pattern):
        found = re.search(rf"^ *([\d,]+) \([^)]*\) +{pattern}", listing, re.M)
        if found is None:
            sys.exit(f"no {pattern} in the profile")
        return int(found.group(1).replace(",", ""))
    return {part: cost(pattern) for part, pattern in parts.items()}


def per_event(work, build, folder):
    counts = []
    for events in (SHORT, LONG):
        command, parts = work(build, events, folder)
        counts.append(count(command, parts, folder / f"{work.__name__}-{events}.callgrind"))
    return {part: round((counts[1][part] - counts[0][part]) / (LONG - SHORT)) for part in counts[1]}


def compare(name, found, expected):
    """Prints, and returns whether anything is dearer than it may be."""
    worse = [part for part in expected if found[part] > expected[part] * (1 + TOLERANCE)]
    for part, instructions in found.items():
        print(f"{name:9} {part:9} {instructions:7}  expected {expected.get(part, 'nothing: an unknown compiler')}"
              f"{'  TOO MANY' if part in worse else ''}")
    return bool(worse)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--build", type=pathlib.Path, default=ROOT / "build/sim")
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    handbook_csv.CUSTOMERS = CUSTOMERS
    with tempfile.TemporaryDirectory() as folder:
        found = {work.__name__: per_event(work, options.build, pathlib.Path(folder)) for work in (handbook, job)}
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if options.write:
        known[compiler()] = found
        EXPECTED.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    expected = known.get(compiler(), {})
    worse = [compare(name, counts, expected.get(name, {})) for name, counts in found.items()]
    sys.exit(1 if any(worse) else 0)


if __name__ == "__main__":
    main()
