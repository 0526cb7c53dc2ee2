"""The simulation at length: a hundred thousand seeds, with the libraries of this machine and with those
of Debian 13, which the image is made of; and the small world with every second death."""

import concurrent.futures
import os
import re
import subprocess

import debian
import pytest
from elsewhere import ROOT, adopt_evidence

BUILD = ROOT / "build" / "sim"
SEEDS = int(os.environ.get("WEIR_SIM_SEEDS", "100000"))
FIRST = 100_000
BUILD_COMMANDS = ["cmake -S . -B build/sim -G Ninja -DCMAKE_BUILD_TYPE=Release", "cmake --build build/sim --target sim"]
# Longer ones would keep one processor waiting for another at the end.
SEEDS_AT_ONCE = 1000


def build():
    for command in BUILD_COMMANDS:
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def sums_of(output):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?![.\d])", output)}


def simulate(run, *options):
    done = run(["build/sim/sim", *map(str, options)])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return sums_of(done.stdout)


def many_seeds(run):
    """The sums of all of them; `run` runs a command in the root of the sources."""
    ranges = [(first, min(SEEDS_AT_ONCE, FIRST + SEEDS - first))
              for first in range(FIRST, FIRST + SEEDS, SEEDS_AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(lambda each: simulate(run, "--from", each[0], "--seeds", each[1]), ranges))
    sums = {name: sum(part[name] for part in parts) for name in parts[0] if name != "commits_per_second"}
    assert sums["seeds"] == SEEDS and sums["failed"] == 0 and sums["commits"] > SEEDS
    return sums


def run_here(command):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_many_seeds(evidence):
    build()
    evidence("simulation", first_seed=FIRST, **many_seeds(run_here))


@pytest.mark.skipif(os.geteuid() != 0, reason="a Debian in a folder needs root")
def test_many_seeds_with_the_libraries_of_debian_13(tmp_path, evidence):
    with debian.machine(tmp_path / "debian", debian.TRIXIE) as shell:
        debian.copy_sources(shell.root / "weir")
        for command in ["./dev setup", *BUILD_COMMANDS]:
            shell(f"cd /weir && {command}", stdout=subprocess.DEVNULL)
        sums = many_seeds(lambda command: shell(f"cd /weir && {' '.join(command)}", capture_output=True, text=True,
                                                check=False))
        adopt_evidence(shell, evidence, "simulation-debian-13", first_seed=FIRST, **sums)


def test_every_second_death_in_the_small_world():
    build()
    sums = simulate(run_here, "--thorough")
    assert sums["failed"] == 0 and sums["cases"] > 10_000
