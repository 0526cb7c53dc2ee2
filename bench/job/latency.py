"""How long after its event an alert is visible, with weir, with the rival and with an empty loop, in turns.

    latency.py [--alerts PERCENT,...] [--rates N,...] [--seconds S] [--warm-up S] [--history N] [--runs N]
               [--users N] [--distribution ...] [--only NAME]... [--set NAME=VALUE]... [--rival-mb N] [--json FILE]
    latency.py --burst [--base RATE] ...

Open loop: events are sent on a fixed schedule. An alert's latency is from the time at which its event was due (not:
was sent) to the time at which a reader of committed records has it, on one clock. Each system reads the same events
from topics of its own: a history as fast as it can, a warm-up at the highest rate, then each rate, of which the first
seconds do not count. It has one core; the broker, the sender and the reader have the other. Before all that the empty loop
runs once and its figures are thrown away: the broker's Java, too, compiles what it does often, and the first system would
pay for it.

    weir           commits when an alert waits; its default settings
    rival-20ms     the best Kafka Streams program we could write, committing every 20 ms
    rival-100ms    the same, every 100 ms
    floor          reads, writes and commits as weir does, to the same partitions, but processes nothing: what the
                   machine, the broker and the client take by themselves

The correctness gate comes first: a run whose alerts are not exactly the oracle's has no figures, and the program ends
with 1. The share of events that alert is made by payments to black-listed merchants ("own": the job's own share; its
event time then passes as in drain.py). Commits and the partitions they touch are counted in the broker's files.

With --burst: BASE events/s (30 % load), ten times as many for a minute, and BASE again: what it takes until the lag is
gone, how late alerts are, and how much memory it needs.
"""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import process  # noqa: E402
import transactions  # noqa: E402
from cluster import TICKS_PER_S, Cluster, Process, wait_until  # noqa: E402
from drain import BROKER_CORE, BUILD, CORE, PARTITIONS, Rival, Subject, Weir, World, prepare_rival  # noqa: E402
from evidence import leave_evidence  # noqa: E402

OWN_STEP_MS = 46.8  # 2,000,000 events in 26 hours, as in drain.py
# With a share of alerts that is asked for the time between two events is longer, so that few events break a rule by
# themselves: R1 and R5 hardly ever, R2 and R3 by so much.
STEP_MS, BY_THEMSELVES = 432, 0.00035
OWN_BLOCKED_EVERY = 5000
SETTLE_S, MARGIN_S = 5, 1
END_TIMEOUT_S = 180
BURST_S, BURST_TIMES, BEFORE_BURST_S, AFTER_BURST_S = 60, 10, 30, 150
DRAINED_S = 120
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
TARGETS_MS = {"p50": 10, "p99": 30, "p99.9": 60}
WEIR_COMMIT_MS, WEIR_ALERT_FLOOR = 100, "2ms"  # its defaults, for the floor to do the same
WEIR_MEMORY = "512MB"


# ---- what is measured ----


class Rival20(Rival):
    name, commit_ms = "rival-20ms", 20


class Rival100(Rival):
    name, commit_ms = "rival-100ms", 100


class WeirByDefault(Weir):
    commit_ms = WEIR_COMMIT_MS


class Floor(Subject):
    name = "floor"
    commit_ms = WEIR_COMMIT_MS
    alert_of = staticmethod(Rival.alert_of)

    def __init__(self, world, number):
        super().__init__(world, number)
        for topic in ("alerts", "tail", "journal"):
            world.cluster.create_topic(f"{self.group}-{topic}", PARTITIONS)
        self.alert_floor_us = microseconds(world.given.set.get("WEIR_ALERT_FLOOR", WEIR_ALERT_FLOOR))

    def start(self):
        return Process(
            ["taskset", "-c", str(CORE), BUILD / "floor", self.world.cluster.bootstrap, self.world.payments, self.alerts,
             f"{self.group}-tail", f"{self.group}-journal", self.group, str(WEIR_COMMIT_MS), str(self.alert_floor_us)],
            self.folder / "log", cwd=self.folder)

    def check_markers(self, counted):
        """Its own count of transactions, and what the broker's files say, are one."""
        commits, requests = map(int, re.search(r"commits (\d+) add_partitions (\d+)", self.running.output()).groups())
        if commits != counted:
            raise RuntimeError(f"{self.group} committed {commits} times, the broker wrote {counted} markers")
        print(f"{self.group}: {requests / max(1, commits):.2f} requests to add partitions per transaction; one that is "
              "refused costs 20 ms", flush=True)


def microseconds(text):
    number, unit = re.fullmatch(r"(\d+)(us|ms|s)", text).groups()
    return int(number) * {"us": 1, "ms": 1000, "s": 1_000_000}[unit]


SUBJECTS = {each.name: each for each in (WeirByDefault, Rival20, Rival100, Floor)}
BY_DEFAULT = ["weir", "rival-20ms", "rival-100ms", "floor"]


class LiveWorld(World):
    """Topics for one run of one system; the oracle's word comes with the events."""

    def __init__(self, cluster, folder, given, number, commit_ms):
        self.cluster, self.folder = cluster, folder
        self.given = argparse.Namespace(**{**vars(given), "commit_ms": commit_ms, "remember_all": False})
        self.prefix = f"l{number}"
        self.payments, self.blacklist = f"{self.prefix}-payments", f"{self.prefix}-blacklist"
        cluster.create_topic(self.payments, PARTITIONS)
        cluster.create_topic(self.blacklist, 1, cleanup_policy="compact")
        subprocess.run(pinned("job_load", cluster.bootstrap, self.payments, self.blacklist, 1, 0, given.users,
                              given.distribution, given.seed, 1, "-"), check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        self.expected_file = folder / f"{self.prefix}-expected"

    def read_expected(self):
        self.expected = sorted(self.expected_file.read_text().splitlines())

    def forget(self, subject):
        client = self.cluster.asking_clients.pop(subject.group, None)
        if client is not None:
            client.close()
        for topic in self.cluster.topics():
            if topic.startswith(f"{self.prefix}-"):
                self.cluster.delete_topic(topic)
        shutil.rmtree(subject.folder)
        self.expected_file.unlink()


def pinned(program, *arguments):
    """Beside the broker, not beside what is measured."""
    return ["taskset", "-c", str(BROKER_CORE), str(BUILD / program), *(str(each) for each in arguments)]


# ---- sending and receiving ----


class Helper:
    """One of our programs that runs beside what is measured, and says what it did."""

    def __init__(self, program, *arguments):
        self.program = program
        self.popen = subprocess.Popen(pinned(program, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.popen.pid

    def has_ended(self):
        if self.popen.wait(60) != 0:
            raise RuntimeError(f"{self.program} failed")

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class Sender(Helper):
    """job_live, which does what it is told and says what it did."""

    def __init__(self, world, alerts):
        given = world.given
        own = alerts == "own"
        blocked_every = OWN_BLOCKED_EVERY if own else max(1, round(1 / max(1e-9, float(alerts) / 100 - BY_THEMSELVES)))
        super().__init__("job_live", world.cluster.bootstrap, world.payments, 1, given.users, given.distribution,
                         given.seed, OWN_STEP_MS if own else STEP_MS, blocked_every, given.linger_ms, world.expected_file)
        self.paid = 0

    def say(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def hear(self, first):
        words = self.popen.stdout.readline().split()
        if not words or words[0] != first:
            raise RuntimeError(f"job_live said {words} instead of {first}")
        return [int(each) for each in words[1:]]

    def load(self, count):
        self.say(f"load {count}")
        self.hear("loaded")
        self.paid += count

    def begin(self, phases):
        """Of (rate, seconds); returns when the first one begins, on the monotonic clock."""
        self.phases = phases
        self.say("pace " + ",".join(f"{rate}:{seconds}" for rate, seconds in phases))
        return self.hear("started")[0] / 1e6

    def finish(self):
        """What became of each phase, and how late the sender was, in ms."""
        told = []
        for _ in self.phases:
            first, count, rate, start_us = self.hear("phase")
            told.append(Phase(first, count, rate, start_us))
            self.paid += count
        return told, dict(zip((*PERCENTILES, "max"), (each / 1000 for each in self.hear("late"))))

    def end(self):
        self.popen.stdin.close()
        self.has_ended()


class Phase:
    def __init__(self, first, count, rate, start_us):
        self.first, self.count, self.rate, self.start_us = first, count, rate, start_us

    def due_us(self, number):
        """When the event was due, or None: it is not of this phase."""
        i = number - self.first
        return self.start_us + i * 1_000_000 // self.rate if 0 <= i < self.count else None


class Receiver(Helper):
    """job_receive, and what it wrote down."""

    HEAD = struct.Struct("<qI")

    def __init__(self, world, subject):
        self.subject, self.file = subject, subject.folder / "received"
        super().__init__("job_receive", world.cluster.bootstrap, subject.alerts, self.file)
        if self.popen.stdout.readline().strip() != "ready":
            self.kill()
            raise RuntimeError("job_receive did not begin")

    def alerts(self):
        """[("R1 t00000000042", time in us)] in the order of arrival."""
        content, position, found = self.file.read_bytes(), 0, []
        while position + self.HEAD.size <= len(content):
            at_us, size = self.HEAD.unpack_from(content, position)
            position += self.HEAD.size
            found.append((self.subject.alert_of(content[position:position + size]), at_us))
            position += size
        return found

    def end(self):
        self.popen.terminate()
        self.has_ended()


def percentile(ordered, share):
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread_of(latencies_ms):
    """Percentiles and how many alerts they are of."""
    if not latencies_ms:
        return {"alerts": 0, **dict.fromkeys((*PERCENTILES, "max"), math.nan)}
    ordered = sorted(latencies_ms)
    return {"alerts": len(ordered), "max": ordered[-1],
            **{name: percentile(ordered, share) for name, share in PERCENTILES.items()}}


def latencies_ms(received, phase):
    found = []
    for alert, at_us in received:
        due_us = phase.due_us(int(alert.split()[1][1:]))
        if due_us is not None:
            found.append((at_us - due_us) / 1000)
    return found


# ---- what went on meanwhile ----


def core_seconds():
    """{core: seconds that it worked, seconds that the host gave to others}"""
    found = {}
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if re.match(r"cpu\d", line):
            name, *ticks = line.split()
            user, nice, system, _, _, irq, softirq, steal = (int(each) / TICKS_PER_S for each in ticks[:8])
            found[int(name[3:])] = (user + nice + system + irq + softirq, steal)
    return found


class Moment:
    """What had been used until now."""

    def __init__(self, cluster, pids, log):
        self.at = time.monotonic()
        self.cpu = {name: process.cpu_seconds(pid) for name, pid in pids.items()}
        self.cpu["broker"] = process.cpu_seconds(cluster.kafka.process.pid)
        self.cpu["bench"] = time.process_time()
        self.cores = core_seconds()
        self.markers = log.look()


def usage(before, after):
    seconds = after.at - before.at
    share = {name: (after.cpu[name] - before.cpu[name]) / seconds for name in after.cpu}
    commits, partitions, by_topic = transactions.between(before.markers, after.markers)
    others = {}
    for core, ours in ((CORE, share["subject"]), (BROKER_CORE, sum(share.values()) - share["subject"])):
        busy, stolen = (now - then for now, then in zip(after.cores[core], before.cores[core]))
        others[core] = {"others": max(0.0, busy / seconds - ours), "stolen": stolen / seconds}
    return {"cpu_share": share, "commits_per_s": commits / seconds, "partitions_per_commit": partitions,
            "partitions_by_topic": by_topic, "cores": others}


def noise(seconds):
    """How late a thread wakes on each core while nothing of ours runs, in ms; and the fixed piece of work."""
    told = subprocess.run([BUILD / "noise", str(seconds), str(CORE), str(BROKER_CORE)], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    wakes = {}
    for line in told.splitlines():
        core, *late_us = line.split()
        wakes[core] = dict(zip((*PERCENTILES, "max"), (int(each) / 1000 for each in late_us)))
    return {"wakes_late_ms": wakes, **process.calibration()}


# ---- one run of one system ----


class Run:
    """A system that has read the history and is warm, its sender and its receiver."""

    def __init__(self, world, subject, alerts):
        self.world, self.subject = world, subject
        self.given = world.given
        self.log = transactions.Transactions(world.cluster.kafka.folder / "data", f"{subject.group}-")
        self.sender = self.receiver = self.running = None
        try:
            self.receiver = Receiver(world, subject)
            self.sender = Sender(world, alerts)
            self.sender.load(self.given.history)
            self.markers_before = self.log.look()
            self.running = subject.running = subject.start()
            self.pids = {"subject": self.running.pid, "sender": self.sender.pid, "receiver": self.receiver.pid}
            self.wait_for_end()
            self.pace([(max(self.given.rates), self.given.warm_up)])
        except BaseException:
            self.kill()
            raise

    def committed(self):
        return sum(self.world.cluster.committed_offsets(self.subject.group, self.world.payments).values())

    def is_at_end(self):
        if not self.running.running():
            raise RuntimeError(f"{self.subject.name} ended: {self.running.output()[-3000:]}")
        return self.committed() >= self.sender.paid

    def wait_for_end(self):
        wait_until(self.is_at_end, END_TIMEOUT_S, f"{self.subject.name} at the end of the input", pause_s=0.2)

    def moment(self):
        return Moment(self.world.cluster, self.pids, self.log)

    def pace(self, phases):
        self.sender.begin(phases)
        return self.sender.finish()

    def measure(self, rate):
        """Sends, and says what was sent and what it took; latencies are known at the end."""
        self.log.look()  # now, and not while it is measured: there is much to look at
        started = self.sender.begin([(rate, SETTLE_S), (rate, self.given.seconds), (rate, 2 * MARGIN_S)])
        sleep_until(started + SETTLE_S - MARGIN_S)
        before = self.moment()
        sleep_until(started + SETTLE_S + self.given.seconds + MARGIN_S)
        after = self.moment()
        (_, phase, _), late = self.sender.finish()
        return phase, {"rate": rate, "sender_late_ms": late, **usage(before, after)}

    def end(self):
        """Everything is read, committed and received; the gate. Returns what was received, and the peak memory."""
        self.sender.end()
        self.wait_for_end()
        self.world.read_expected()
        peak = process.peak_bytes(self.running.pid)
        self.running.stop()
        self.world.judge(self.subject)
        if isinstance(self.subject, Floor):
            self.subject.check_markers(transactions.between(self.markers_before, self.log.look())[0])
        wait_until(lambda: self.has_received_all(), 60, "the reader at the end of the alerts", pause_s=0.5)
        self.receiver.end()
        received = self.receiver.alerts()
        if sorted(alert for alert, _ in received) != self.world.expected:
            raise RuntimeError(f"{self.subject.group}: the reader did not see what is there")
        return received, peak

    def has_received_all(self):
        return len(self.receiver.alerts()) >= len(self.world.expected)

    def kill(self):
        for each in (self.sender, self.receiver, self.running):
            if each is not None:
                each.kill()


def sleep_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))


def measure(world, subject, alerts):
    """The figures of each rate."""
    run = Run(world, subject, alerts)
    try:
        windows = [run.measure(rate) for rate in world.given.rates]
        received, peak = run.end()
    finally:
        run.kill()
    found = []
    for phase, figures in windows:
        latencies = latencies_ms(received, phase)
        alerting = {alert.split()[1] for alert, _ in received if phase.due_us(int(alert.split()[1][1:])) is not None}
        found.append({"who": subject.name, "asked": alerts, **figures, "peak_mb": peak / 1e6,
                      "alerting_share": len(alerting) / phase.count, "latency_ms": spread_of(latencies),
                      "latencies_ms": latencies})
    return found


# ---- the burst ----


def watch(run, started, phases):
    """[(seconds from the start, events due and not committed)] until a while after the burst."""
    samples = []
    until = started + sum(seconds for _, seconds in phases)
    first = run.sender.paid
    while time.monotonic() < until:
        now = time.monotonic() - started
        samples.append((now, first + due(phases, now) - run.committed()))
        time.sleep(0.25)
    return samples


def due(phases, now):
    """How many events were due by then."""
    count = 0
    for rate, seconds in phases:
        count += rate * min(max(now, 0), seconds)
        now -= seconds
    return round(count)


def drained_after(samples, end, small):
    """Seconds from the burst's end until the lag is small and stays so, or None."""
    later = [each for each in samples if each[0] >= end]
    large = [i for i, (_, lag) in enumerate(later) if lag > small]
    if not large:
        return 0.0
    return later[large[-1] + 1][0] - end if large[-1] + 1 < len(later) else None


def burst(world, subject, alerts):
    base = world.given.base
    phases = [(base, BEFORE_BURST_S), (base * BURST_TIMES, BURST_S), (base, AFTER_BURST_S)]
    run = Run(world, subject, alerts)
    try:
        before = run.moment()
        samples = watch(run, run.sender.begin(phases), phases)
        told, late = run.sender.finish()
        after = run.moment()
        received, peak = run.end()
    finally:
        run.kill()
    by_phase = [latencies_ms(received, phase) for phase in told]
    return {
        "who": subject.name, "asked": alerts, "base": base, "burst": base * BURST_TIMES, "sender_late_ms": late,
        "peak_mb": peak / 1e6, "largest_lag": max(lag for _, lag in samples),
        "drained_s": drained_after(samples, BEFORE_BURST_S + BURST_S, base),
        "latency_ms": spread_of(sum(by_phase, [])),
        "by_phase_ms": dict(zip(("before", "burst", "after"), map(spread_of, by_phase))),
        **usage(before, after), "lag": samples,
    }


# ---- telling it ----


def bounds(values, form="{:.1f}"):
    texts = [form.format(each) for each in (statistics.median(values), min(values), max(values))]
    return texts[0] if len(values) == 1 else "{} [{}–{}]".format(*texts)


def few(runs, name):
    """A percentile of so few alerts that it is only their largest."""
    return name in PERCENTILES and min(each["latency_ms"]["alerts"] for each in runs) * (1 - PERCENTILES[name]) < 1


def table(runs):
    """Markdown: of each share of alerts, rate and system the medians of its runs, with the least and the most."""
    columns = ("p50", "p99", "p99.9", "max")
    lines = ["| alerts | events/s | system | " + " | ".join(f"{each} ms" for each in columns) +
             " | all runs p99.9 | alerts a run | commits/s | partitions/commit | CPU % | broker % | RSS MB |",
             "|---|---|---|" + "---|" * (len(columns) + 7)]
    for key in cells(runs):
        for who in SUBJECTS:
            of = cell(runs, key, who)
            if not of:
                continue
            figures = [bounds([each["latency_ms"][name] for each in of]) + ("*" if few(of, name) else "")
                     for name in columns]
            together = spread_of([each for run in of for each in run["latencies_ms"]])
            lines.append("| " + " | ".join([
                f"{100 * statistics.median(each['alerting_share'] for each in of):.2g} %", f"{key[1]:,}", who, *figures,
                f"{together['p99.9']:.1f}" + ("*" if together["alerts"] < 1000 else ""),
                f"{statistics.median(each['latency_ms']['alerts'] for each in of):,.0f}",
                bounds([each["commits_per_s"] for each in of], "{:.0f}"),
                bounds([each["partitions_per_commit"] for each in of]),
                bounds([100 * each["cpu_share"]["subject"] for each in of], "{:.0f}"),
                bounds([100 * each["cpu_share"]["broker"] for each in of], "{:.0f}"),
                bounds([each["peak_mb"] for each in of], "{:.0f}")]) + " |")
    return "\n".join([*lines, "", "*: of so few alerts that it is the largest one or nearly so"])


def cell(runs, key, who):
    """The runs of one system at one share of alerts and one rate."""
    return [each for each in runs if (each["asked"], each["rate"], each["who"]) == (*key, who)]


def cells(runs):
    return sorted({(each["asked"], each["rate"]) for each in runs})


def medians(runs, key, who):
    of = cell(runs, key, who)
    return {name: statistics.median(each["latency_ms"][name] for each in of) for name in PERCENTILES} if of else None


def pooled(runs):
    """Every alert of all runs of a cell taken together, with the quantiles in steps of a hundredth."""
    found = []
    for key in cells(runs):
        for who in {each["who"] for each in runs}:
            ordered = sorted(latency for each in cell(runs, key, who) for latency in each["latencies_ms"])
            if ordered:
                found.append({"asked": key[0], "rate": key[1], "who": who, **spread_of(ordered),
                              "hundredths": [round(percentile(ordered, i / 100), 3) for i in range(101)]})
    return found


def commits_compared(runs, key):
    """The floor is a measure only if it commits as often, and touches as many partitions."""
    means = [[statistics.median(each[name] for each in cell(runs, key, who)) for who in ("weir", "floor")]
             for name in ("commits_per_s", "partitions_per_commit")]
    return "; ".join(f"{text}: weir {weir:.1f}, floor {floor:.1f}" + (" (NOT ALIKE)" if abs(weir / floor - 1) > 0.2 else "")
                     for text, (weir, floor) in zip(("commits/s", "partitions/commit"), means) if floor)


def verdicts(runs):
    """weir against the targets, against the rival's better interval at each percentile, and against the floor."""
    lines = []
    for key in cells(runs):
        weir, floor = medians(runs, key, "weir"), medians(runs, key, "floor")
        rivals = [each for each in (medians(runs, key, "rival-20ms"), medians(runs, key, "rival-100ms")) if each]
        for name in PERCENTILES if weir else ():
            text = f"{key[0]} % at {key[1]}/s: {name:5} {weir[name]:6.1f} ms, " + \
                ("within" if weir[name] <= TARGETS_MS[name] else "over") + f" {TARGETS_MS[name]} ms"
            if rivals:
                best = min(each[name] for each in rivals)
                text += f"; {weir[name] / best:.2f} x the rival's best ({best:.1f})"
            if floor:
                text += f"; {weir[name] / floor[name]:.2f} x the floor ({floor[name]:.1f})"
            lines.append(text)
        if weir and floor:
            lines.append(f"{key[0]} % at {key[1]}/s: {commits_compared(runs, key)}")
    return "\n".join(lines)


def noise_text(noises, runs):
    lines = ["While nothing of ours ran:"]
    for core in (CORE, BROKER_CORE):
        late = {name: [each["wakes_late_ms"][str(core)][name] for each in noises] for name in (*PERCENTILES, "max")}
        lines.append(f"  core {core} woke a sleeping thread late by ms: " +
                     ", ".join(f"{name} {bounds(values, '{:.2f}')}" for name, values in late.items()))
    lines.append(f"  a fixed piece of work took {bounds([each['wall_s'] for each in noises], '{:.2f}')} s, of them "
                 f"{bounds([each['cpu_s'] for each in noises], '{:.2f}')} s of CPU")
    lines.append("While it was measured:")
    for core in (CORE, BROKER_CORE):
        of = [each["cores"][core] for each in runs]
        lines.append(f"  others used {bounds([100 * each['others'] for each in of], '{:.0f}')} % of core {core}, the host "
                     f"took away {bounds([100 * each['stolen'] for each in of], '{:.0f}')} %")
    for name in (*PERCENTILES, "max"):
        lines.append(f"  the sender was late by {bounds([each['sender_late_ms'][name] for each in runs])} ms ({name}); "
                     "that is part of every latency")
    return "\n".join(lines)


def burst_text(runs, memory_mb):
    """What happened, and whether it is what it should be."""
    lines = []
    for each in runs:
        well = each["drained_s"] is not None and each["drained_s"] <= DRAINED_S and each["peak_mb"] <= memory_mb
        by_phase = "; ".join(f"{name} " + "/".join(f"{spread[p]:.1f}" for p in (*PERCENTILES, "max"))
                             for name, spread in each["by_phase_ms"].items())
        drained = "not drained" if each["drained_s"] is None else f"drained {each['drained_s']:.1f} s after the burst"
        lines.append(f"{each['who']}: {each['base']:,} -> {each['burst']:,} -> {each['base']:,} events/s; nothing lost; "
                     f"largest lag {each['largest_lag']:,}, {drained}; peak RSS {each['peak_mb']:.0f} MB; "
                     f"p99.9 {each['latency_ms']['p99.9']:.1f} ms of {each['latency_ms']['alerts']:,} alerts "
                     f"(p50/p99/p99.9/max ms: {by_phase}); the sender was late by {each['sender_late_ms']['p99.9']:.1f} ms "
                     f"(p99.9), {each['sender_late_ms']['max']:.1f} (max): {'as' if well else 'NOT as'} it should be (drained in "
                     f"{DRAINED_S} s, within {memory_mb:.0f} MB)")
    return "\n".join(lines)


def evidence(runs):
    """Of each share of alerts, rate and system: the medians of its runs with the least and the most, ms."""
    found = []
    for asked, rate in cells(runs):
        for who in SUBJECTS:
            of = cell(runs, (asked, rate), who)
            if of:
                found.append({"asked": asked, "rate": rate, "who": who, "runs": len(of),
                              "alerts": sum(each["latency_ms"]["alerts"] for each in of),
                              **{name: [round(take([each["latency_ms"][name] for each in of]), 1)
                                        for take in (statistics.median, min, max)] for name in PERCENTILES},
                              **{name: round(statistics.median(each[name] for each in of), 1)
                                 for name in ("commits_per_s", "partitions_per_commit", "peak_mb")},
                              "cpu_share": round(statistics.median(each["cpu_share"]["subject"] for each in of), 3)})
    return found


def keep_evidence(given, runs, noises):
    name = "burst" if given.burst else "latency"
    figures = {"bursts": [{key: each[key] for key in ("who", "base", "burst", "largest_lag", "drained_s", "peak_mb", "latency_ms",
                                                      "by_phase_ms")} for each in runs]} if given.burst else {"cells": evidence(runs)}
    leave_evidence(name, f"./dev bench latency {' '.join(sys.argv[1:])}".strip(), seconds=given.seconds, users=given.users,
                   distribution=given.distribution, runs=given.runs, noise=noises[-1], **figures)


# ---- all of it ----


def arguments():
    def numbers(text):
        return [int(each) for each in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=lambda text: text.split(","), metavar="PERCENT,...",
                        help='share of events that alert, or "own"; 0.1,5')
    parser.add_argument("--rates", type=numbers, default=[1000, 5000, 10000], help="events per second")
    parser.add_argument("--seconds", type=int, default=30, help="of each rate")
    parser.add_argument("--warm-up", type=int, default=60, help="seconds of load at the highest rate")
    parser.add_argument("--history", type=int, default=500_000, help="events that are there before it starts")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--distribution", default="mandelbrot", choices=("uniform", "mandelbrot", "zipf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--linger-ms", type=int, default=0, help="of the sender")
    parser.add_argument("--only", action="append", choices=tuple(SUBJECTS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment of weir")
    parser.add_argument("--rival-mb", type=int, help="the rival is set up to have about so many MB resident")
    parser.add_argument("--burst", action="store_true")
    parser.add_argument("--base", type=int, default=15000, help="events per second before and after the burst")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--evidence", action="store_true", help="leave docs/evidence/latency.json, or burst.json")
    given = parser.parse_args()
    given.set = dict(each.split("=", 1) for each in given.set)
    given.alerts = given.alerts or (["0.1"] if given.burst else ["0.1", "5"])
    given.only = given.only or (["weir"] if given.burst else BY_DEFAULT)
    return given


def warm_broker(given, folder, cluster):
    """What the first run gets without it: a median of 36 ms instead of 13 (5 % alerts, 10,000 events/s)."""
    world = LiveWorld(cluster, folder, given, "warm", Floor.commit_ms)
    floor = Floor(world, "warm")
    measure(world, floor, given.alerts[-1])
    world.forget(floor)


def run_all(given, folder, cluster):
    """(figures of every run, noise before and after each)"""
    warm_broker(given, folder, cluster)
    found, noises, number = [], [noise(2)], 0
    for turn in range(given.runs):
        for alerts in given.alerts:
            for name in given.only:
                kind = SUBJECTS[name]
                world = LiveWorld(cluster, folder, given, number, kind.commit_ms)
                subject = kind(world, turn)
                number += 1
                new = [burst(world, subject, alerts)] if given.burst else measure(world, subject, alerts)
                world.forget(subject)
                noises.append(noise(2))
                for each in new:
                    print(json.dumps({key: value for key, value in each.items() if key not in ("latencies_ms", "lag")}),
                          flush=True)
                found += new
    return found, noises


def main():
    given = arguments()
    if any(each.startswith("rival") for each in given.only):
        prepare_rival()
    os.sched_setaffinity(0, {BROKER_CORE})  # this program may not disturb what is measured
    with tempfile.TemporaryDirectory(prefix="weir-latency-") as folder, Cluster() as cluster:
        for service in (cluster.kafka, cluster.registry):
            process.pin(service.process.pid, BROKER_CORE)
        schema = (ROOT / "bench/job/job-transaction.avsc").read_text()
        assert cluster.registry.register("job-payments-value", schema) == 1, "the rival knows its schema by the id 1"
        runs, noises = run_all(given, pathlib.Path(folder), cluster)
    memory_mb = int(given.set.get("WEIR_MEMORY", WEIR_MEMORY).removesuffix("MB")) * (1 << 20) / 1e6
    print(burst_text(runs, memory_mb) if given.burst else f"{table(runs)}\n\n{verdicts(runs)}")
    print(noise_text(noises, runs))
    if given.evidence:
        keep_evidence(given, runs, noises)
    if given.json:
        kept = [{key: value for key, value in each.items() if key != "latencies_ms"} for each in runs]
        record = {"given": {**vars(given), "json": None}, "runs": kept, "noise": noises}
        if not given.burst:
            record["all_runs_ms"] = pooled(runs)
        given.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
