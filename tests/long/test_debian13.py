"""The gate passes on a bare Debian 13 as it does on Debian 12: installing, building, testing."""

import os
import re

import debian
import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="a Debian in a folder needs root")
def test_the_gate_passes_on_a_bare_debian_13(tmp_path, evidence):
    with debian.machine(tmp_path / "debian") as shell:
        debian.copy_sources(shell.root / "weir")
        gate = shell("cd /weir && ./dev test 2>&1 | tail -n 200", capture_output=True, text=True)
    last = gate.stdout.rstrip().splitlines()[-1]
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    assert counts, gate.stdout
    evidence("debian13", passed=int(counts.group(1)), failed=int(counts.group(2)))
    assert counts.group(2) == "0", gate.stdout
