"""Each mutant of the protocol is caught by the simulation."""

import pathlib
import subprocess
import sys

from test_simulation import BUILD, build

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_each_mutant_is_caught():
    build()
    done = subprocess.run([sys.executable, ROOT / "tests" / "sim" / "mutants.py", "--build", BUILD, "--seeds", "5000"],
                          capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed=0" in done.stdout
