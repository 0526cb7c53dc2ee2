"""A fixed input gives the same alerts and features, byte for byte: from the release build, from the same
on a processor without fused multiply-add, from one whose compiler may use it, and from Debian 13's
compiler and libraries. Several formats, and every function that a machine could answer differently."""

import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess

import debian
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 20
PAYMENTS = 50_000
HANDBOOK_ROWS = 50_000
HANDBOOK_CUSTOMERS = 400
HANDBOOK_DAYS = 60

# The release build itself has no FMA, being for any x86-64; libraries pick at run time what they find.
WITHOUT_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX512F"}

LIBRARIES = ("gcc libc6 libsleef3 libjansson4 libfyaml0 librdkafka1 'librocksdb9*' 'libavro2*'"
             " 'libsimdjson2*' libdeflate0")

GENERATED = ["generate", "card-fraud-local.yaml", "--seed", str(SEED), "--start",
             "2026-01-05T00:00:00Z", "--batch", str(PAYMENTS), "--attack-every", "200", "--poison",
             "0.001", "--schemas", "schemas"]

# Every function that a mathematical library could answer differently, operators that a compiler could
# fuse, and what is rounded from their results.
ARITHMETIC = """\
topology: arithmetic
streams:
  transactions:
    topic: handbook-transactions
    format: json
    schema: handbook-transaction.avsc
    key: customer
    id: tx_id
    time: parse_time('2018-04-01T00:00:00Z') + ts_s * 1s
    remember: { for: 30d }
    fields:
      amount: double(amount_cents) / 97
      angle: double(ts_s) / 7 - amount
      unit: sin(angle)
features:
  sine:        sin(angle)
  cosine:      cos(angle)
  tangent:     tan(angle)
  arc_sine:    asin(unit)
  arc_cosine:  acos(unit)
  arc_tangent: atan(angle)
  direction:   atan2(unit, amount)
  growth:      exp(unit * 30)
  natural_log: ln(amount)
  common_log:  log10(amount)
  power:       pow(amount, unit * 3)
  root:        sqrt(amount)
  km:          distance_km(unit * 90, cos(angle) * 180, last(unit over previous 1) * 80, amount / 100)
  fused:       amount * unit + angle * angle - tan(angle) * amount
  sum_7d:      sum(decimal(amount * unit, 6) over 7d)
  avg_7d:      avg(decimal(amount * unit, 6) over 7d)
  spread_7d:   stddev(decimal(amount * unit, 6) over 7d)
  least_7d:    min(amount * unit over 7d)
  most_7d:     max(amount * unit over 7d)
rules:
  wide:
    when: spread_7d > 20
    severity: low
    message: "{spread_7d} around {avg_7d}, {fused}, {growth}, {km} km"
    repeat: once per 1d
  far:
    when: km > 15000 and power > ln(amount)
    severity: low
    message: "{km} km, {direction}, {power}, {sum_7d}"
outputs:
  alerts: { topic: arithmetic-alerts, format: json }
"""

# Topology, input, rules that this input cannot set off: a file brings no tables.
CASES = [
    ("card-fraud-local.yaml", "payments.jsonl", {"location_mismatch", "blocked_merchant"}),
    ("card-fraud-local.yaml", "payments.avro", {"location_mismatch", "blocked_merchant"}),
    ("handbook.yaml", "handbook.csv", set()),
    ("arithmetic.yaml", "handbook.csv", set()),
]


def write_handbook(path):
    """The handbook's columns: customers with habits, and for two weeks every third payment of some is
    five times as large."""
    choice = random.Random(SEED)
    habits = [(choice.uniform(5, 100), choice.randrange(HANDBOOK_DAYS)) for _ in range(HANDBOOK_CUSTOMERS)]
    times = sorted(choice.randrange(HANDBOOK_DAYS * 86_400) for _ in range(HANDBOOK_ROWS))
    with open(path, "w", encoding="utf-8") as file:
        file.write("tx_id,ts_s,customer,terminal,amount_cents,fraud,scenario\n")
        for number, time_s in enumerate(times):
            customer = choice.randrange(HANDBOOK_CUSTOMERS)
            usual, stolen_day = habits[customer]
            stolen = 0 <= time_s // 86_400 - stolen_day < 14 and choice.random() < 1 / 3
            cents = max(1, round(choice.gauss(usual, usual / 2) * (500 if stolen else 100)))
            file.write(f"{number},{time_s},{customer},{choice.randrange(1000)},{cents},"
                       f"{int(stolen)},{3 if stolen else 0}\n")


class Here:
    """A program on this machine, in a folder of its own."""

    def __init__(self, name, program, folder, **settings):
        self.name, self.program, self.folder = name, program, folder
        self.environment = {**os.environ, **settings}
        folder.mkdir(parents=True)

    def run(self, *arguments):
        debian.run(self.program, *arguments, cwd=self.folder, env=self.environment,
                   stdout=subprocess.DEVNULL)


class InDebian13:
    """The program that `./dev build` makes on a bare Debian 13."""

    name = "debian_13"

    def __init__(self, shell):
        self.shell, self.folder = shell, shell.root / "srv/determinism"
        self.folder.mkdir(parents=True)
        debian.copy_sources(shell.root / "weir")
        shell("cd /weir && ./dev build release")

    def run(self, *arguments):
        self.shell("cd /srv/determinism && /weir/build/release/weir " + " ".join(arguments),
                   stdout=subprocess.DEVNULL)

    def versions(self):
        lines = self.shell("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' " + LIBRARIES,
                           capture_output=True, text=True).stdout.splitlines()
        return dict(line.split()[1:] for line in lines if line.startswith("installed"))


def build_native(folder):
    """Another release build of the same source, for exactly this processor."""
    debian.run("cmake", "--preset", "release", "-B", folder, "-DWEIR_TESTS=OFF", "-DWEIR_NATIVE=ON",
               cwd=ROOT, stdout=subprocess.DEVNULL)
    debian.run("cmake", "--build", folder, "--target", "weir", stdout=subprocess.DEVNULL)
    return folder / "weir"


def outputs_of(subject, folder):
    """Generates the payments anew and runs every case; name of file -> SHA-256."""
    for name in ("schemas", "topologies"):
        shutil.copytree(ROOT / name, subject.folder / name)
    shutil.copytree(ROOT / "topologies", subject.folder, dirs_exist_ok=True)
    (subject.folder / "arithmetic.yaml").write_text(ARITHMETIC)
    shutil.copy(folder / "handbook.csv", subject.folder)
    for suffix in ("jsonl", "avro"):
        subject.run(*GENERATED, "--output", f"payments.{suffix}")
    written = ["payments.jsonl", "payments.avro"]
    for topology, source, _ in CASES:
        for kind, suffix in (("alerts", "jsonl"), ("features", "csv"), ("dead-letters", "jsonl")):
            written.append(output_name(topology, source, kind, suffix))
        subject.run("backtest", topology, "--schemas", "schemas", "--input", source,
                    "--alerts", written[-3], "--features", written[-2], "--dead-letters", written[-1])
    return {name: hashlib.sha256((subject.folder / name).read_bytes()).hexdigest() for name in written}


def output_name(topology, source, kind, suffix):
    return f"{topology.removesuffix('.yaml')}-{source.replace('.', '-')}-{kind}.{suffix}"


def alerts_per_rule(folder, topology, source):
    text = (folder / output_name(topology, source, "alerts", "jsonl")).read_text()
    counts = {rule: 0 for rule in re.findall(r"(?m)^  (\w+):\n    when:", (folder / topology).read_text())}
    for rule in re.findall(r'(?m)^{[^{}]*?"rule":"(\w+)"', text):
        counts[rule] += 1
    return counts


@pytest.mark.skipif(os.geteuid() != 0, reason="a Debian 13 in a folder needs root")
def test_a_fixed_input_gives_the_same_bytes_everywhere(weir, tmp_path, evidence):
    write_handbook(tmp_path / "handbook.csv")
    here = Here("release", weir, tmp_path / "release")
    expected = outputs_of(here, tmp_path)
    counts = {}
    for topology, source, silent in CASES:
        rules = counts[f"{topology} {source}"] = alerts_per_rule(here.folder, topology, source)
        assert {rule for rule, count in rules.items() if count == 0} == silent

    others = {}
    for subject in (Here("without_fma", weir, tmp_path / "without_fma", **WITHOUT_FMA),
                    Here("native", build_native(tmp_path / "build-native"), tmp_path / "native")):
        others[subject.name] = outputs_of(subject, tmp_path)
    with debian.machine(tmp_path / "debian", debian.TRIXIE) as shell:
        subject = InDebian13(shell)
        others[subject.name] = outputs_of(subject, tmp_path)
        versions = subject.versions()

    differing = {name: sorted(file for file in expected if files[file] != expected[file])
                 for name, files in others.items()}
    evidence("determinism", seed=SEED, payments=PAYMENTS, handbook_rows=HANDBOOK_ROWS,
             processor_has_fma=" fma " in pathlib.Path("/proc/cpuinfo").read_text(),
             compared_with_release=sorted(others), differing=differing, alerts=counts, sha256=expected,
             debian_13=versions)
    assert not any(differing.values()), differing
