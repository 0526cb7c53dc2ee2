"""An hour under half of the load that this machine can take, with a fault every half a minute and quiet in between
(tests/chaos/soak.py, which says what it finds). A run has these bounds, and each can fail:

- memory: no process ever has more than `memory:` and ten percent resident;
- descriptors: those of a process that lives on, and those of all, are as many in the end as at the beginning;
- local disk: the month that the topology remembers passes in less than a third of the run. From then on a payment is
  forgotten for each that comes, so the last third has no more than the middle third, and what compactions swing by;
- tail: trimmed up to a checkpoint that is at most some 40 s old (a checkpoint each 10 s, RocksDB on disk each 30 s),
  and by whole segments: where no fault was so shortly before, the last third has no more than the middle one, and
  nowhere three times as much; every partition is trimmed in each third;
- changelog: compacted when 30 % of it are old rows, in closed segments: in proportion to the state, so as the disk.
"""

import json
import os
import subprocess

from elsewhere import ROOT

MINUTES = os.environ.get("WEIR_SOAK_MINUTES", "60")


def test_soak():
    status = subprocess.run(["./dev", "soak", "--minutes", MINUTES], cwd=ROOT, stdin=subprocess.DEVNULL,
                            check=False).returncode
    figures = json.loads((ROOT / "docs/evidence/soak.json").read_text())
    assert not figures["findings"], "\n".join(figures["findings"])
    assert status == 0
    assert figures["lost"] == figures["duplicated"] == 0
    assert figures["peak_bytes"] <= figures["memory_bytes"] * 1.1
    assert figures["faults"] and figures["kills"] > 0
    assert figures["alerts"] > 0 and figures["dead_letters"] > 0 and figures["duplicates"] > 0
    assert len(figures["alerts_per_rule"]) == 8
