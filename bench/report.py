"""The evidence of `./dev bench`, and its table. docs/performance.md is made of it by tests/architecture/documents.py."""

import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "bench"
EVIDENCE = ROOT / f"docs/evidence/{NAME}.json"
LIBRARIES = ["librdkafka1", "librocksdb*", "libsimdjson*", "libc6", "gcc-1*"]

ROWS = [
    ("records_per_s", "records per second", "{:,.0f}"),
    ("records_per_cpu_s", "records per second of CPU", "{:,.0f}"),
    ("cpu_s_per_million", "CPU-seconds per million records", "{:.2f}"),
    ("broker_cpu_s_per_million", "the broker's CPU-seconds per million records", "{:.2f}"),
    ("log_bytes_per_event", "bytes that the broker appends per record", "{:,.0f}"),
    ("peak_mb", "peak memory, MB", "{:,.0f}"),
]
COLUMNS = [("drain", "`weir run`, draining Kafka"), ("backtest_export", "`weir backtest` of its export"),
           ("backtest_csv", "`weir backtest` of handbook CSV")]


def output_of(*command):
    result = subprocess.run([str(each) for each in command], capture_output=True, text=True, cwd=ROOT,
                            check=False, stdin=subprocess.DEVNULL)
    return result.stdout.strip()


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def leave_evidence(figures, program):
    versions = output_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n",
                         *LIBRARIES).splitlines()
    record = {
        "name": NAME,
        "commit": output_of("git", "rev-parse", "HEAD"),
        "changed_since_commit": bool(output_of("git", "status", "--porcelain", "-uno")),
        "command": f"./dev bench --events {figures['events']} --users {figures['users']}",
        "weir": output_of(program, "--version"),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "processor": processor(),
        "processors": os.cpu_count(),
        "libraries": dict(line.split()[1:] for line in versions if line.startswith("installed")),
        **figures,
    }
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    EVIDENCE.write_text(json.dumps(record, indent=4) + "\n")


def cell(summary, key, form):
    if key not in summary:
        return ""
    return "{} [{}–{}]".format(*(form.format(each) for each in summary[key]))


def table(figures):
    """Markdown: a row per figure, a column per way to run."""
    lines = ["| median [least–most] | " + " | ".join(title for _, title in COLUMNS) + " |",
             "|---|" + "---|" * len(COLUMNS)]
    for key, title, form in ROWS:
        cells = [cell(figures["summary"][column], key, form) for column, _ in COLUMNS]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
