"""Runs kafka_sim_conformance (tests/kafka/conformance_main.c): the same random sequences of calls
on a real broker and on the simulated cluster, in several processes with seeds of their own."""

import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "kafka_sim_conformance"


def program():
    """The dev build has it, with sanitizers; a release is built without tests."""
    folders = [os.environ.get("WEIR_BUILD"), ROOT / "build/dev", ROOT / "build/release"]
    paths = [pathlib.Path(each) / NAME for each in folders if each]
    found = next((each for each in paths if each.exists()), None)
    assert found, f"{NAME} is not built"
    return found


def run(bootstrap, sequences, processes, timeout_s):
    """Returns nothing, or fails with the sequence that differs."""
    share = sequences // processes
    assert share * processes == sequences
    runs = []
    for number in range(processes):
        # A file, as nobody reads while the others run.
        output = tempfile.TemporaryFile(mode="w+")
        command = [program(), bootstrap, str(number * share), str(share)]
        runs.append((subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), output))
    try:
        for process, _ in runs:
            process.wait(timeout_s)
    finally:
        for process, _ in runs:
            if process.poll() is None:
                process.kill()
                process.wait()
    for process, output in runs:
        output.seek(0)
        text = output.read()
        output.close()
        assert process.returncode == 0, text[-6000:]
        assert f"{share} sequences, the same on both" in text, text[-6000:]
