"""On a bare Debian 12 and a bare Debian 13 the two commands of the README work, with nothing installed
beforehand: `./dev demo` shows every attack being alerted, `./dev test` passes."""

import os
import re

import debian
import pytest
from elsewhere import adopt_evidence

# The demo has shown each of its attacks after this long; --check fails where one was missed.
DEMO = "./dev demo --seconds 50 --check"


def last_lines(shell, command):
    """The command's exit status, and the end of what it printed."""
    result = shell(f"cd /weir && {command} 2>&1 | tail -n 200; exit ${{PIPESTATUS[0]}}",
                   capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="a Debian in a folder needs root")
@pytest.mark.parametrize("suite", [debian.BOOKWORM, debian.TRIXIE])
def test_demo_and_gate_on_a_bare_machine(tmp_path, evidence, suite):
    with debian.machine(tmp_path / "debian", suite) as shell:
        debian.copy_sources(shell.root / "weir")
        demo, shown = last_lines(shell, DEMO)
        assert demo == 0, shown
        gate, printed = last_lines(shell, "./dev test")
        counts = re.fullmatch(r"(\d+) passed, (\d+) failed", printed.rstrip().splitlines()[-1])
        assert counts, printed
        adopt_evidence(shell, evidence, f"bare-{suite}", demo=shown.rstrip().splitlines()[-12:],
                       passed=int(counts.group(1)), failed=int(counts.group(2)))
    assert gate == 0 and counts.group(2) == "0", printed
