"""The simulation at length: many seeds, and the small world with every second death."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "sim"
SEEDS = int(os.environ.get("WEIR_SIM_SEEDS", "20000"))


def build():
    for command in (["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", BUILD, "--target", "sim"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def simulate(*options):
    done = subprocess.run([BUILD / "sim", *map(str, options)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    print(done.stdout)
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?![.\d])", done.stdout)}


def test_many_seeds():
    build()
    sums = simulate("--from", 100_000, "--seeds", SEEDS)
    assert sums["seeds"] == SEEDS and sums["failed"] == 0 and sums["commits"] > SEEDS


def test_every_second_death_in_the_small_world():
    build()
    sums = simulate("--thorough")
    assert sums["failed"] == 0 and sums["cases"] > 10_000
