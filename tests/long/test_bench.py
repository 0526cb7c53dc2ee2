"""The programs that measure weir beside its rival run, in small. Each has a gate of its own: what a system put out is exactly
the oracle's, or the program fails."""

import subprocess

import pytest
from elsewhere import ROOT

SMALL = {
    "rival": "--users 2000 --events 40000 --runs 1",
    "latency": "--alerts 5 --rates 500 --seconds 8 --warm-up 5 --history 5000 --users 2000 --runs 1",
    "restart": "--users 2000 --events 40000 --runs 1",
    "live-growth": "--only rules --events 600000 --runs 1",
}


@pytest.mark.parametrize("program", SMALL)
def test_it_runs(program):
    done = subprocess.run([ROOT / "dev", "bench", program, *SMALL[program].split()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
