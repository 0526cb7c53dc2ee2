"""Five thousand kills in one run of chaos, with the libraries of this machine; and the same with those of
Debian 13, which the image is made of. `./dev chaos --brokers 3` is a shorter one among three brokers."""

import json
import os
import shutil
import subprocess

import debian
import pytest
from elsewhere import ROOT, adopt_evidence

KILLS = int(os.environ.get("WEIR_CHAOS_KILLS", "5000"))
KILLS_AMONG_THREE = KILLS // 5
MINUTES = 240
COMMAND = f"./dev chaos --minutes {MINUTES} --kills {KILLS}"
# What leave_evidence says of the run and not of its outcome.
OF_THE_RUN = ("name", "commit", "changed_since_commit", "command", "system", "processors", "libraries")


def check(figures, kills):
    assert figures["kills"] >= kills and figures["findings"] == 0, figures
    assert figures["rounds_that_equal_the_oracle"] == figures["rounds"]
    assert figures["alerts"] > 0 and figures["dead_letters"] > 0


def run_here(command, name, kills):
    status = subprocess.run(command.split(), cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    check(json.loads((ROOT / "docs/evidence" / f"{name}.json").read_text()), kills)
    assert status == 0


def keep_logs(found):
    """Of what was found in another Debian, which is gone at the end."""
    if found.exists():
        shutil.copytree(found, ROOT / "build/results/chaos-debian-13", dirs_exist_ok=True)


def test_five_thousand_kills():
    run_here(COMMAND, "chaos", KILLS)


def test_kills_among_three_brokers():
    run_here(f"./dev chaos --brokers 3 --minutes {MINUTES} --kills {KILLS_AMONG_THREE}", "chaos-three-brokers",
             KILLS_AMONG_THREE)


@pytest.mark.skipif(os.geteuid() != 0, reason="a Debian in a folder needs root")
def test_five_thousand_kills_with_the_libraries_of_debian_13(tmp_path, evidence):
    with debian.machine(tmp_path / "debian", debian.TRIXIE) as shell:
        debian.copy_sources(shell.root / "weir")
        status = shell(f"cd /weir && {COMMAND}", check=False).returncode
        keep_logs(shell.root / "weir/build/results/chaos")
        figures = json.loads((shell.root / "weir/docs/evidence/chaos.json").read_text())
        outcome = {key: value for key, value in figures.items() if key not in OF_THE_RUN}
        adopt_evidence(shell, evidence, "chaos-debian-13", **outcome)
    check(figures, KILLS)
    assert status == 0
