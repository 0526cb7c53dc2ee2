"""Adds up what ran: `count.py FOLDER...` reads *.tap (Criterion, checks) and *.xml (ctest, pytest).

The last line is "N passed, N failed" over all of them; the exit code is 0 only if something ran and
nothing failed. What was skipped is neither.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count_tap(path):
    passed = failed = 0
    for line in path.read_text(errors="replace").splitlines():
        if "# SKIP" in line.upper():
            continue
        passed += line.startswith("ok")
        failed += line.startswith("not ok")
    return passed, failed


def count_junit(path):
    """ctest says of each program whether it failed; programs with a TAP file are counted by that."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    passed, failed = 0, int(not cases)  # a runner that found nothing to run has failed
    for case in cases:
        if case.get("status") == "notrun":
            failed += 1  # ctest did not find the program
            continue
        if case.find("skipped") is not None:
            continue
        bad = case.find("failure") is not None or case.find("error") is not None
        unit = case.get("name", "").startswith("unit.")
        tap = TAPS.get(case.get("name", "").removeprefix("unit.")) if unit else None
        if tap is None or (bad and tap[1] == 0):
            # No TAP, or it ended badly without a failed test in it: a crash, a leak, a timeout.
            failed += bad
            passed += not bad
    return passed, failed


folders = [pathlib.Path(each) for each in sys.argv[1:]]
taps = sorted(each for folder in folders for each in folder.glob("*.tap"))
TAPS = {path.stem: count_tap(path) for path in taps}
rows = [(path.stem, *TAPS[path.stem]) for path in taps]
rows += [(path.stem, *count_junit(path))
         for folder in folders for path in sorted(folder.glob("*.xml"))]
for name, passed, failed in rows:
    print(f"{name:16} {passed:6} passed {failed:4} failed")
total_passed = sum(row[1] for row in rows)
total_failed = sum(row[2] for row in rows)
print(f"{total_passed} passed, {total_failed} failed")
sys.exit(1 if total_failed or not total_passed else 0)
