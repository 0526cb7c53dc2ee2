"""What happens to a partition's state and offsets between runs, and while processes come and go: after
every story the alerts are those that the oracle raises from the input, none lost and none twice."""

import json
import subprocess
import time

import pytest
import verdict
from cluster import encode_avro, wait_until
from confluent_kafka import Consumer, TopicPartition
from payments import Payments, write_tables
from weir import SCHEMAS, Topology, Weir, get

PARTITIONS = 4
EACH = 3000
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())


class Story:
    def __init__(self, program, cluster, folder, prefix):
        self.cluster = cluster
        self.folder = folder
        self.topology = Topology(folder, "card-fraud-local.yaml", prefix)
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.payments = Payments(seed=29)
        self.started_ms = int(time.time() * 1000)
        write_tables(cluster, self.topology, self.payments, PROFILE)
        self.schema_id = cluster.registry.register(f"{self.topology.transactions}-value", TRANSACTION)

    def write(self, count=EACH):
        self.cluster.produce(self.topology.transactions, (
            {"key": payment["user_id"], "timestamp": self.payments.now_ms,
             "value": encode_avro(self.schema_id, TRANSACTION, payment)}
            for payment in self.payments.take(count)))

    def run_to_end(self, state):
        """One process from start to SIGTERM; returns what it logged."""
        with self.weir.running(state) as process:
            self.weir.wait_for_end(process)
        return process.output()

    def refused(self, state):
        """The process ends by itself, not cleanly; returns what it said."""
        process = self.weir.start(state, wait=False)
        assert process.wait(120) != 0
        return process.output()

    def lag_of(self, partition):
        committed = self.cluster.committed_offsets(self.topology.name, self.topology.transactions)
        return (self.cluster.end_offsets(self.topology.transactions)[partition]
                - max(committed.get(partition, 0), 0))

    def group_is_empty(self):
        groups = self.cluster.admin().describe_consumer_groups([self.topology.name])
        return not groups[self.topology.name].result().members

    def wait_for_empty_group(self):
        """Static members stay until their session times out."""
        wait_until(self.group_is_empty, 60, "the group without members", pause_s=0.5)

    def consumer(self):
        return Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": self.topology.name,
                         "enable.auto.commit": False})

    def check(self):
        judgement = verdict.expected(self.cluster, self.topology,
                                     (self.started_ms, int(time.time() * 1000)))
        verdict.check(self.cluster, self.topology, judgement)


@pytest.fixture
def story(weir, cluster, tmp_path, unique):
    return Story(weir, cluster, tmp_path, unique)


def lines(text, event):
    return [line for line in text.splitlines() if f"event={event}" in line]


# --- processes that come and go -----------------------------------------------------------------------


def test_partitions_move_between_running_processes(story, tmp_path):
    program = story.weir
    story.write()
    first = program.start(tmp_path / "a", WEIR_ORDINAL="1")
    story.write()
    second = program.start(tmp_path / "b", WEIR_ORDINAL="2")
    story.write()
    program.wait_for_end(second)
    kept = lines(first.output(), "lane.kept")
    assert any("partition=0" in line for line in kept), first.output()[-4000:]
    # It commits, hands over, and the other goes on where it was.
    assert first.stop() == 0
    story.write()
    program.wait_for_end(second)
    third = program.start(tmp_path / "a", WEIR_ORDINAL="1")
    story.write()
    program.wait_for_end(third)
    assert third.stop() == 0 and second.stop() == 0
    story.check()


def test_a_killed_process_comes_back_and_nobody_notices(story, tmp_path):
    program = story.weir
    story.write()
    settings = {"WEIR_SESSION_TIMEOUT": "45s"}
    first = program.start(tmp_path / "a", WEIR_ORDINAL="1", **settings)
    second = program.start(tmp_path / "b", WEIR_ORDINAL="2", **settings)
    program.wait_for_end(second)
    assignments = len(lines(second.output(), "worker.assigned"))
    first.kill()
    story.write()
    first = program.start(tmp_path / "a", WEIR_ORDINAL="1", **settings)
    program.wait_for_end(first)
    assert len(lines(second.output(), "worker.assigned")) == assignments
    assert first.stop() == 0 and second.stop() == 0
    story.check()


# --- offsets that are gone ------------------------------------------------------------------------------


def test_lost_offsets_are_put_back(story, tmp_path):
    state = tmp_path / "state"
    story.write()
    story.run_to_end(state)
    story.wait_for_empty_group()
    before = story.cluster.committed_offsets(story.topology.name, story.topology.transactions)
    story.cluster.admin().delete_consumer_groups([story.topology.name])[story.topology.name].result()

    story.write()
    said = story.refused(state)
    assert "has no committed offsets" in said or "no committed offsets for" in said
    assert "weir recover" in said
    story.wait_for_empty_group()
    asked = story.weir.command("recover", check=False)
    assert asked.returncode != 0 and "--yes" in asked.stderr and "no offset -> " in asked.stdout
    story.weir.command("recover", "--yes")
    after = story.cluster.committed_offsets(story.topology.name, story.topology.transactions)
    assert after == before
    assert "nothing to put back" in story.weir.command("recover").stdout
    story.run_to_end(state)
    story.check()


def test_a_partition_whose_offset_was_moved_stops_alone(story, tmp_path):
    state = tmp_path / "state"
    story.write()
    story.run_to_end(state)
    story.wait_for_empty_group()
    consumer = story.consumer()
    moved = TopicPartition(story.topology.transactions, 2, 1, metadata="another tool's")
    consumer.commit(offsets=[moved], asynchronous=False)
    consumer.close()

    story.write()
    process = story.weir.start(state, wait=False)
    wait_until(lambda: all(story.lag_of(p) == 0 for p in (0, 1, 3)), 120, "the other partitions")
    # The others may be done before this one's offset has been looked at, and /status is a copy made now and then.
    wait_until(lambda: '"partition":2,"worker":1,"state":"failed"' in (get(process, "/status") or ""), 60, "it failed")
    assert process.running()
    assert get(process, "/readyz") is None  # not ready
    failed = lines(process.output(), "lane.failed")
    assert failed and all("partition=2" in line and "weir recover" in line for line in failed)
    assert process.stop() == 0
    story.wait_for_empty_group()
    story.weir.command("recover", "--yes")
    story.run_to_end(state)
    story.check()


# --- an input that is another one -----------------------------------------------------------------------


def make_again(story):
    topic = story.topology.transactions
    story.cluster.delete_topic(topic)
    wait_until(lambda: topic not in story.cluster.topics(), 60, "the topic is gone")
    story.cluster.create_topic(topic, partitions=PARTITIONS)


def test_an_input_that_was_made_again_is_noticed(story, tmp_path):
    """Kafka forgets the offsets of a topic that is deleted."""
    state = tmp_path / "state"
    story.write()
    story.run_to_end(state)
    story.wait_for_empty_group()
    make_again(story)
    said = story.refused(state)
    assert "has no committed offset any more" in said and "weir reset" in said, said[-3000:]


def test_an_input_with_other_records_is_noticed(story, tmp_path):
    state = tmp_path / "state"
    story.write()
    story.run_to_end(state)
    story.wait_for_empty_group()
    make_again(story)
    early = story.weir.command("recover", check=False)
    assert early.returncode != 0 and "reading would go on at" in early.stderr
    story.write(3 * EACH)  # beyond what was processed
    story.weir.command("recover", "--yes")
    said = story.refused(state)
    assert "holds another record" in said and "weir reset" in said, said[-3000:]


# --- local disks ------------------------------------------------------------------------------------------


def damage(files):
    assert files
    for file in files:
        with open(file, "r+b") as out:
            out.seek(file.stat().st_size // 3)
            out.write(b"noise noise noise noise noise noise noise noise")


@pytest.mark.parametrize("pattern, events", [
    ("*.sst", ["restore.changelog"]),
    # Where the damage hits the length of an entry, RocksDB takes the file to end there: partitions are not there, then.
    ("MANIFEST-*", ["store.unreadable", "restore.changelog"])])
def test_damaged_local_files_cost_a_restore(story, tmp_path, pattern, events):
    state = tmp_path / "state"
    story.write()
    story.run_to_end(state)
    damage(list((state / "rocksdb/rocks").glob(pattern)))
    story.write()
    said = story.run_to_end(state)
    assert any(lines(said, event) for event in events), said[-4000:]
    assert len([line for line in lines(said, "lane.restored") if "from=changelog" in line]) > 0
    story.check()


def test_a_full_disk_makes_it_wait(story, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", state], check=False,
                             capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        story.write()
        process = story.weir.start(state, WEIR_CHECKPOINT_INTERVAL="3s")
        ballast = state / "ballast"
        with open(ballast, "wb", buffering=0) as out:
            with pytest.raises(OSError):
                while True:
                    out.write(bytes(1 << 16))
        story.write()
        # RocksDB is flushed with a checkpoint when that is 30 s ago, and a checkpoint needs changes.
        def is_noticed():
            # The partition whose write failed says so; others only that the database must be opened again.
            story.write(50)
            return any("No space left on device" in line
                       for line in lines(process.output(), "lane.waits"))

        wait_until(is_noticed, 180, "a full disk is noticed", pause_s=2)
        assert process.running()
        ballast.unlink()
        story.write()
        story.weir.wait_for_end(process)
        assert process.stop() == 0
    finally:
        subprocess.run(["umount", "-l", state], check=True)
    story.check()
