"""Each fuzz target for ten minutes under sanitizers (WEIR_FUZZ_SECONDS for less). What it learnt is
kept in $WEIR_CACHE/fuzz; inputs that matter go to tests/fuzz/corpus by hand."""

import concurrent.futures
import os
import pathlib
import re
import subprocess

import pytest

from cluster import CACHE

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/fuzz"
SECONDS = int(os.environ.get("WEIR_FUZZ_SECONDS", "600"))
TARGETS = sorted(path.stem for path in (ROOT / "tests/fuzz").glob("*.c"))


def fuzz(target):
    learnt = CACHE / "fuzz" / target
    learnt.mkdir(parents=True, exist_ok=True)
    corpus = ROOT / "tests/fuzz/corpus" / target
    findings = ROOT / "build/results" / f"fuzz-{target}-"
    findings.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [BUILD / f"fuzz_{target}", f"-max_total_time={SECONDS}", "-print_final_stats=1", "-timeout=20",
         "-rss_limit_mb=2048", f"-artifact_prefix={findings}", learnt,
         *([corpus] if corpus.is_dir() else [])],
        capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    executions = re.search(r"number_of_executed_units: (\d+)", run.stderr)
    coverage = re.findall(r"cov: (\d+)", run.stderr)
    return target, run.returncode, {
        "seconds": SECONDS, "executions": int(executions.group(1)) if executions else 0,
        "edges": int(coverage[-1]) if coverage else 0,
    }, run.stderr[-3000:]


def test_no_target_finds_anything(evidence):
    if not TARGETS:
        pytest.skip("no fuzz targets")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(fuzz, TARGETS))
    findings = {target: text for target, status, _, text in results if status != 0}
    evidence("fuzzing", targets={target: figures for target, _, figures, _ in results},
             findings=sorted(findings))
    assert not findings, "\n".join(findings.values())
    assert all(figures["executions"] > 0 for _, _, figures, _ in results)
