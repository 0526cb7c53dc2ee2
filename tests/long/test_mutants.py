"""Each mutant of the protocol is caught by the simulation."""

import re
import subprocess
import sys

from elsewhere import ROOT
from test_simulation import BUILD, build

SEEDS = 3000
LINE = re.compile(r"^(caught|MISSED)\s+(\w+)", re.M)


def test_each_mutant_is_caught(evidence):
    build()
    done = subprocess.run([sys.executable, ROOT / "tests/sim/mutants.py", "--build", BUILD, "--seeds", str(SEEDS)],
                          capture_output=True, text=True, check=False)
    print(done.stdout)
    fates = {name: fate for fate, name in LINE.findall(done.stdout)}
    evidence("mutants", seeds_at_most=SEEDS, mutants=len(fates),
             caught=sorted(name for name, fate in fates.items() if fate == "caught"),
             missed=sorted(name for name, fate in fates.items() if fate != "caught"))
    assert done.returncode == 0 and "missed=0" in done.stdout, done.stdout + done.stderr
