"""What a long run takes: memory and descriptors of every process that ran, bytes on the disk and in the topics,
measured beside it; and whether that is bounded."""

import json
import os
import pathlib
import statistics
import threading
import time

import ceiling
from confluent_kafka import KafkaException

PROCESS_EVERY_S = 1
PLACE_EVERY_S = 5
# After a start or a fault, until a process has what it keeps: who takes partitions over has clients and threads for
# that in the meantime, and how many depends on the fault.
SETTLED_S = 15
# Samples of a life whose beginning and end are compared.
LIFE_MIN = 45
# Connections to brokers and registry come and go (a request of ours to /metrics is one, too).
DESCRIPTORS_MORE = 6
FILES_MORE = 8  # the bounded disk has bounded files
# The state has its size when the retained time is full, before the first third is over; what is then on the disk
# and in the topics swings with compactions (RocksDB's, the broker's) and with the longest fault, by less than this.
# What grew from the beginning would have half as much again in the last third as in the middle one.
FACTOR = 1.25
# The tail is some 40 s long. While a fault lasts nothing is trimmed, and what waited comes in addition when it is over: so
# its size is compared where the last fault is as long ago as that, and whenever it is looked at it may be this much more.
TAIL_SETTLED_S = 40
TAIL_DISTURBED = 3
# A compaction of RocksDB's has what it makes beside what it makes it of, and so have partitions that came back to where
# they were before: what is usual is compared, and the local disk may have this much more at any moment.
STATE_AT_ONCE = 2
# Of all records that were written to the tail, those that are still there.
TAIL_SHARE = 0.25
THIRDS = ("first", "middle", "last")


class Life:
    """One process, from its start to its end."""

    def __init__(self, process, at):
        self.pid, self.process, self.at = process.pid, process, at
        self.samples = []

    def look(self, now):
        """False: it is over."""
        if not self.process.running():
            return False
        try:
            status = dict(line.split(":", 1) for line in
                          pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines())
            files, others = descriptors(self.pid)
        except OSError:
            return True  # it just ended
        if "VmHWM" in status:  # a zombie has none
            self.samples.append({
                "at": now, "uptime": now - self.at, "rss": int(status["VmRSS"].split()[0]) * 1024,
                "peak": int(status["VmHWM"].split()[0]) * 1024, "threads": int(status["Threads"]),
                "files": files, "others": others})
        return True

    def peak(self):
        return max((each["peak"] for each in self.samples), default=0)

    def settled(self, disturbances):
        return [each for each in self.samples
                if each["uptime"] >= SETTLED_S and undisturbed(each["at"], disturbances)]


def descriptors(pid):
    """(open files, sockets and everything else)."""
    files = others = 0
    for each in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(each.path)
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("/"):
            files += 1
        else:
            others += 1
    return files, others


def bytes_of(paths):
    """Those that go away meanwhile do not count."""
    total = 0
    for path in paths:
        try:
            total += os.stat(path).st_size
        except FileNotFoundError:
            pass
    return total


def bytes_below(folder):
    return bytes_of(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)


class Beside(threading.Thread):
    """Looks again and again, until it is stopped."""

    def __init__(self, every_s):
        super().__init__(name=type(self).__name__, daemon=True)
        self.every_s = every_s
        self.over = threading.Event()
        self.began = time.monotonic()
        self.failure = None

    def now(self):
        return time.monotonic() - self.began

    def run(self):
        try:
            while not self.over.wait(self.every_s):
                self.look()
        except Exception as failure:  # a measurement that stopped measured nothing: stop() says so
            self.failure = failure

    def look(self):
        raise NotImplementedError

    def stop(self):
        self.over.set()
        self.join()
        if self.failure:
            raise RuntimeError(f"{self.name} ended") from self.failure


class Processes(Beside):
    def __init__(self):
        super().__init__(PROCESS_EVERY_S)
        self.lives, self.running = [], []

    def watch(self, process):
        life = Life(process, self.now())
        self.lives.append(life)
        self.running = [*self.running, life]

    def look(self):
        over = [life for life in self.running if not life.look(self.now())]
        self.running = [life for life in self.running if life not in over]


class Places(Beside):
    """The state directories, and what the broker has of the topics."""

    TOPICS = ("tail", "changelog", "journal", "transactions")

    def __init__(self, cluster, topology, states, lag):
        super().__init__(PLACE_EVERY_S)
        self.cluster, self.topology, self.states, self.lag = cluster, topology, states, lag
        self.samples = []

    def look(self):
        sample = {"at": self.now(), "state": sum(map(bytes_below, self.states))}
        for topic in self.TOPICS:
            # Of the segments that are in use.
            sample[topic] = bytes_of((self.cluster.kafka.folder / "data").glob(f"{self.topology.name}-{topic}-*/*.log"))
        try:
            for topic in ("tail", "changelog"):
                sample[f"{topic}_ranges"] = self.ranges(f"{self.topology.name}-{topic}")
            sample["lag"] = self.lag()
        except KafkaException:
            pass  # the broker is away
        self.samples.append(sample)

    def ranges(self, topic):
        """Per partition (first offset, offset after the last)."""
        first, end = self.cluster.first_offsets(topic), self.cluster.end_offsets(topic)
        return [(first[each], end[each]) for each in sorted(first)]


# ---- thirds ----


def in_third(samples, number, seconds):
    return [each for each in samples if number * seconds / 3 <= each["at"] < (number + 1) * seconds / 3]


def largest(samples, name):
    return max((each[name] for each in samples if name in each), default=0)


def by_third(samples, name, seconds):
    return {third: largest(in_third(samples, i, seconds), name) for i, third in enumerate(THIRDS)}


def usual_by_third(samples, name, seconds):
    thirds = ([each[name] for each in in_third(samples, i, seconds) if name in each] for i in range(len(THIRDS)))
    return {third: statistics.median_low(found) if found else 0 for third, found in zip(THIRDS, thirds)}


def undisturbed(at, disturbances, settled_s=SETTLED_S):
    return all(not begin <= at <= end + settled_s for begin, end in disturbances)


def live_records(sample):
    return sum(high - low for low, high in sample["tail_ranges"])


class Verdict:
    """`findings` are sentences, one for each check that did not hold. `disturbances`: (begin, end) of each fault."""

    def __init__(self, lives, places, disturbances, seconds, memory):
        self.lives, self.places, self.disturbances = lives, places, disturbances
        self.seconds, self.memory = seconds, ceiling.bytes_of(memory)
        self.findings = []
        self.check_memory()
        self.check_descriptors()
        self.check_disk()
        self.check_topics()

    def demand(self, holds, text):
        if not holds:
            self.findings.append(text)

    def check_memory(self):
        most = self.memory * ceiling.TOLERANCE
        for life in self.lives:
            self.demand(life.peak() <= most, f"process {life.pid}, started at {life.at:.0f} s, had {life.peak()} bytes")
        # It used the memory that it was given: a limit that nothing comes near would prove nothing.
        self.demand(max(life.peak() for life in self.lives) > self.memory / 2, "no process had half of its memory")

    def check_descriptors(self):
        compared = 0
        for life in self.lives:
            samples = life.settled(self.disturbances)
            if len(samples) < LIFE_MIN:
                continue
            compared += 1
            third = len(samples) // 3
            before, after = largest(samples[:third], "others"), largest(samples[-third:], "others")
            self.demand(after <= before + DESCRIPTORS_MORE,
                        f"process {life.pid}, started at {life.at:.0f} s, had {before} descriptors, then {after}")
        self.demand(compared > 0, "no process lived long enough to compare its descriptors")
        others, files = self.over_lives("others"), self.over_lives("files")
        self.demand(others["last"] <= others["first"] + DESCRIPTORS_MORE, f"descriptors that are no files: {others}")
        self.demand(files["last"] <= files["middle"] * FACTOR + FILES_MORE, f"open files: {files}")

    def over_lives(self, name):
        return by_third([each for life in self.lives for each in life.settled(self.disturbances)], name, self.seconds)

    def check_disk(self):
        usual, most = usual_by_third(self.places, "state", self.seconds), largest(self.places, "state")
        self.demand(0 < usual["last"] <= FACTOR * usual["middle"], f"state, bytes usually: {usual}")
        self.demand(most <= STATE_AT_ONCE * usual["last"], f"the local disk had {most} bytes, and usually {usual}")

    def check_topics(self):
        self.bounded("changelog", self.places)
        self.bounded("tail", self.calm_tail())
        most, usual = largest(self.places, "tail"), largest(self.calm_tail(), "tail")
        self.demand(most <= TAIL_DISTURBED * usual, f"the tail had {most} bytes, and {usual} where no fault was near")
        known = [each for each in self.places if "tail_ranges" in each]
        written = sum(high for _, high in known[-1]["tail_ranges"])
        self.demand(self.tail_records()["last"] <= TAIL_SHARE * written,
                    f"of {written} records of the tail there were {self.tail_records()}")
        for i, name in enumerate(THIRDS):
            third = in_third(known, i, self.seconds)
            first, last = third[0]["tail_ranges"], third[-1]["tail_ranges"]
            for partition, (before, after) in enumerate(zip(first, last)):
                self.demand(after[0] > before[0],
                            f"partition {partition} of the tail was not trimmed in the {name} third")

    def bounded(self, name, samples):
        sizes = by_third(samples, name, self.seconds)
        self.demand(0 < sizes["last"] <= FACTOR * sizes["middle"], f"{name}, bytes at most: {sizes}")

    def calm_tail(self):
        return [each for each in self.places if undisturbed(each["at"], self.disturbances, TAIL_SETTLED_S)]

    def tail_records(self):
        known = [{**each, "records": live_records(each)} for each in self.places if "tail_ranges" in each]
        return by_third(known, "records", self.seconds)

    def figures(self):
        calm = [each for each in self.places if undisturbed(each["at"], self.disturbances)]
        ranges = [each["tail_ranges"] for each in self.places if "tail_ranges" in each]
        return {
            "processes": len(self.lives),
            "lived_longest_s": round(max(each["uptime"] for life in self.lives for each in life.samples)),
            "memory_bytes": self.memory,
            "peak_bytes": max(life.peak() for life in self.lives),
            "peak_bytes_by_third": self.peaks(),
            "lives_compared": sum(len(life.settled(self.disturbances)) >= LIFE_MIN for life in self.lives),
            "descriptors_without_files_by_third": self.over_lives("others"),
            "open_files_by_third": self.over_lives("files"),
            "threads_by_third": self.over_lives("threads"),
            **{f"{name}_bytes_by_third": by_third(self.places, name, self.seconds)
               for name in ("state", *Places.TOPICS)},
            "usual_state_bytes_by_third": usual_by_third(self.places, "state", self.seconds),
            "calm_tail_bytes_by_third": by_third(self.calm_tail(), "tail", self.seconds),
            "tail_live_records_by_third": self.tail_records(),
            "tail_records_written": sum(high for _, high in ranges[-1]),
            "tail_records_trimmed": sum(low for low, _ in ranges[-1]),
            "lag_by_third": by_third(self.places, "lag", self.seconds),
            "lag_undisturbed_by_third": by_third(calm, "lag", self.seconds),
        }

    def keep(self, path):
        """Everything that was measured, to be looked at."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({
            "seconds": self.seconds, "disturbances": self.disturbances, "places": self.places,
            "lives": [{"pid": life.pid, "at": life.at, "samples": life.samples} for life in self.lives]}))

    def peaks(self):
        """Of the lives that began in it."""
        return by_third([{"at": life.at, "peak": life.peak()} for life in self.lives], "peak", self.seconds)
