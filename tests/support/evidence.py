"""docs/evidence/NAME.json: what was run, on what, and what came out. Figures in the documentation are
taken from there."""

import json
import os
import pathlib
import platform
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ["librdkafka1", "librocksdb*", "libavro2*", "libsimdjson*", "libjansson4", "libfyaml0", "libdeflate0",
             "libmicrohttpd12*", "libsleef3", "libc6", "gcc-1*"]


def output_of(*command):
    """Nothing, where there is no such program: a bare system has no git."""
    if shutil.which(command[0]) is None:
        return ""
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False,
                            stdin=subprocess.DEVNULL)
    return result.stdout.strip()


# What runs leave, and what is generated from it: an earlier run does not change what is tried.
OUTCOMES = [":!docs/evidence", ":!docs/performance.md", ":!docs/reliability.md"]
LIST_LIBRARIES = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *LIBRARIES]


def versions_in(listed):
    """Of what LIST_LIBRARIES printed."""
    return dict(line.split()[1:] for line in listed.splitlines() if line.startswith("installed"))


def leave_evidence(name, command="./dev test --long", **figures):
    record = {
        "name": name,
        "commit": output_of("git", "rev-parse", "HEAD"),
        "changed_since_commit": bool(output_of("git", "status", "--porcelain", "-uno", "--", ".", *OUTCOMES)),
        "command": command,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "processors": os.cpu_count(),
        "libraries": versions_in(output_of(*LIST_LIBRARIES)),
        **figures,
    }
    path = ROOT / "docs/evidence" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=4) + "\n")
