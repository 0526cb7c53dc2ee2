"""Debian 13 does what Debian 12 does: the gate passes on a bare one, and a fixed input gives the same
bytes on both, and with other instructions of the processor."""

import os
import pathlib
import re
import subprocess

import debian
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPOLOGY = "topologies/card-fraud-local.yaml"
EVENTS = 200_000
GENERATE = ["generate", TOPOLOGY, "--batch", str(EVENTS), "--seed", "13", "--attack-every", "200",
            "--start", "2026-01-31T12:00:00Z", "--output", "input.jsonl"]
BACKTEST = ["backtest", TOPOLOGY, "--input", "input.jsonl", "--alerts", "alerts.jsonl",
            "--features", "features.csv"]
OUTPUTS = ["input.jsonl", "alerts.jsonl", "features.csv"]
# What glibc picks by the processor it finds: without these its sin() is another one.
NO_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX2_Usable,-FMA_Usable,-AVX512F"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a Debian in a folder needs root")


@pytest.fixture(scope="module")
def outputs(weir, tmp_path_factory):
    """{where: {file: bytes}}, and what the gate on Debian 13 printed last."""
    results = {}

    def here(name, program, environment=None):
        folder = tmp_path_factory.mktemp("run")
        (folder / "topologies").symlink_to(ROOT / "topologies")
        (folder / "schemas").symlink_to(ROOT / "schemas")
        for command in (GENERATE, BACKTEST):
            subprocess.run([program, *command, "--schemas", "schemas"], cwd=folder, check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           env={**os.environ, **(environment or {})})
        results[name] = {each: (folder / each).read_bytes() for each in OUTPUTS}

    here("Debian 12", weir)
    here("Debian 12, no FMA", weir, NO_FMA)
    native = tmp_path_factory.mktemp("native")
    debian.run("cmake", "-S", ROOT, "-B", native, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
               "-DWEIR_TESTS=OFF", "-DWEIR_NATIVE=ON", stdout=subprocess.DEVNULL)
    debian.run("cmake", "--build", native, stdout=subprocess.DEVNULL)
    here("Debian 12, -march=native", native / "weir")

    with debian.machine(tmp_path_factory.mktemp("debian13")) as shell:
        debian.copy_sources(shell.root / "weir")
        gate = shell("cd /weir && ./dev test 2>&1 | tail -n 40", capture_output=True, text=True)
        results["gate"] = gate.stdout
        for command in (GENERATE, BACKTEST):
            shell(f"cd /weir && build/release/weir {' '.join(command)} --schemas schemas >/dev/null")
        results["Debian 13"] = {each: (shell.root / "weir" / each).read_bytes() for each in OUTPUTS}
    return results


def test_the_gate_passes_on_a_bare_debian_13(outputs, evidence):
    last = outputs["gate"].rstrip().splitlines()[-1]
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    assert counts, outputs["gate"]
    evidence("debian13-gate", passed=int(counts.group(1)), failed=int(counts.group(2)))
    assert counts.group(2) == "0", outputs["gate"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_same_bytes_everywhere(outputs, evidence, name):
    files = {where: files[name] for where, files in outputs.items() if where != "gate"}
    assert len(files) == 4
    first = files["Debian 12"]
    assert first.count(b"\n") > 100
    evidence(f"same-bytes-{name.split('.')[0]}", events=EVENTS, lines=first.count(b"\n"),
             bytes=len(first), equal_on=sorted(where for where in files if files[where] == first))
    for where, content in files.items():
        assert content == first, f"{name} differs on {where}"
