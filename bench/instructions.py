"""Instructions per event of `weir backtest topologies/handbook.yaml`, by callgrind: noise free, so that what
makes the hot path dearer is seen at once.

    instructions.py [--weir PATH]            compare with bench/instructions.json: exit 1 above +3 %
    instructions.py [--weir PATH] --write    write the counts of this compiler there

Counts depend on the compiler, so they are kept per release and version; for an unknown one they are
printed only. Two runs of different length are subtracted: what starting costs is not an event's.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import handbook_csv  # noqa: E402

EXPECTED = ROOT / "bench/instructions.json"
CUSTOMERS, SHORT_ROWS, LONG_ROWS = 100, 5000, 20000  # 50 and 200 payments each: windows fill and empty
TOLERANCE = 0.03
PARTS = {"decode": "decode_process", "features": "features_process", "rules": "rules_process",
         "task": "task_process"}


def compiler():
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text(), re.M).group(1)
    version = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{release}, gcc {version}"


def count(weir, rows, folder):
    """{part: instructions} of a run over so many rows."""
    table, profile = folder / f"{rows}.csv", folder / f"{rows}.callgrind"
    handbook_csv.write(table, rows)
    subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={profile}", weir, "backtest",
                    "topologies/handbook.yaml", "--input", table], cwd=ROOT, check=True, capture_output=True)
    listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no", "--threshold=100", profile],
                             capture_output=True, text=True, check=True).stdout
    def cost(pattern):
        found = re.search(rf"^ *([\d,]+) \([^)]*\) +{pattern}", listing, re.M)
        if found is None:
            sys.exit(f"no {pattern} in the profile")
        return int(found.group(1).replace(",", ""))
    counts = {part: cost(rf"\S*:{function} ") for part, function in PARTS.items()}
    counts["all"] = cost(".*PROGRAM TOTALS")
    return counts


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--weir", default=str(ROOT / "build/release/weir"))
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    handbook_csv.CUSTOMERS = CUSTOMERS
    with tempfile.TemporaryDirectory() as folder:
        few, many = (count(options.weir, rows, pathlib.Path(folder)) for rows in (SHORT_ROWS, LONG_ROWS))
    found = {part: round((many[part] - few[part]) / (LONG_ROWS - SHORT_ROWS)) for part in many}
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if options.write:
        known[compiler()] = found
        EXPECTED.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    expected = known.get(compiler(), {})
    worse = [part for part in expected if found[part] > expected[part] * (1 + TOLERANCE)]
    for part, instructions in found.items():
        print(f"{part:10} {instructions:8}  expected {expected.get(part, 'nothing: an unknown compiler')}"
              f"{'  TOO MANY' if part in worse else ''}")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
