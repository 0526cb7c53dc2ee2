"""What lies on the disk and in the topics is damaged, or there is no room: a process goes on exactly,
or its partitions wait, with a sentence that says why. Never a third."""

import contextlib
import os
import random
import subprocess
import time

import pytest
from cluster import Cluster, wait_until
from confluent_kafka import TopicPartition
from world import BROKER_SETTINGS, JVM, PARTITIONS, Load, Pod, fast_folder

DONE_S = 180
REFUSED_S = 180
TAIL = ("while waiting for the tail", "has a gap")


@pytest.fixture(scope="module")
def chaos_cluster():
    with fast_folder() as folder, Cluster(f"{folder}/cluster", settings=BROKER_SETTINGS, jvm=JVM) as cluster:
        yield cluster


class Story:
    """One load and one pod; nothing is left to chance."""

    def __init__(self, program, cluster, folder, name):
        self.cluster = cluster
        self.load = Load(program, cluster, folder, name, events=6000, seed=11, rate=3000)
        self.pod = Pod(self.load, 0, folder)
        self.topology = self.load.topology

    def process(self, payments):
        """Writes so many and waits until they are committed."""
        self.load.start(payments)
        self.load.thread.join()
        wait_until(self.is_done, DONE_S, "the end of the input")

    def is_done(self):
        code = self.pod.process.popen.poll()
        assert code is None, f"ended with {code}:\n{self.pod.log()[-3000:]}"
        return self.load.weir.lag() == 0

    def checkpoint_and_more(self):
        """A complete checkpoint, and then transactions that only the tail has; killed."""
        self.pod.start()
        self.process(2000)
        assert self.pod.process.stop() == 0
        self.pod.start(WEIR_CHECKPOINT_INTERVAL="3600s")
        self.process(2000)
        self.pod.kill()

    def rest(self):
        """The rest of the input, and the oracle."""
        self.process(self.load.left())
        assert self.pod.process.stop() == 0
        return self.load.judge()

    def outputs(self):
        return {topic: self.cluster.end_offsets(topic)
                for topic in (self.topology.alerts, self.topology.dead_letters, self.topology.journal)}

    def says_why(self, words):
        """In what the probe answers, or in its last sentence; nothing of it by a signal."""
        code = self.pod.process.popen.poll()
        said = self.pod.why_not_ready() if code is None else self.pod.log().splitlines()[-1]
        assert code is None or code > 0, f"ended with {code}:\n{self.pod.log()[-3000:]}"
        return any(word in said for word in words)

    def is_refused(self, *words):
        """Not ready, with words that help; every partition waits, and nothing was written."""
        before = self.outputs()
        self.pod.start()
        wait_until(lambda: self.says_why(words), REFUSED_S, f"it to say one of {words}", pause_s=0.2)
        assert self.outputs() == before
        self.pod.kill()

    def topic(self, which):
        return f"{self.topology.name}-{which}"

    def delete_records(self, which):
        """All of them."""
        ends = self.cluster.end_offsets(self.topic(which))
        positions = [TopicPartition(self.topic(which), partition, end)
                     for partition, end in ends.items()]
        for future in self.cluster.admin().delete_records(positions).values():
            future.result(30)

    def delete_topic(self, which):
        self.cluster.delete_topic(self.topic(which))
        wait_until(lambda: self.topic(which) not in self.cluster.topics(), 30, "the topic to be gone")


@pytest.fixture
def story(chaos_weir, chaos_cluster, tmp_path, unique):
    with contextlib.closing(contextlib.ExitStack()) as closing:
        story = Story(chaos_weir, chaos_cluster, tmp_path, unique)
        closing.callback(story.pod.kill)
        closing.callback(story.load.stop)
        yield story


# ---- topics ----


def test_the_tail_is_emptied_and_the_state_kept(story):
    """Transactions after the checkpoint are in the tail alone: without it nobody knows them."""
    story.checkpoint_and_more()
    story.delete_records("tail")
    story.is_refused(*TAIL)


def test_the_tail_is_emptied_and_the_state_lost(story):
    story.checkpoint_and_more()
    story.delete_records("tail")
    story.pod.lose_state()
    story.is_refused(*TAIL)


def test_the_tail_is_deleted(story):
    story.checkpoint_and_more()
    story.delete_topic("tail")
    story.is_refused(*TAIL)


def test_the_changelog_is_emptied_and_the_state_lost(story):
    story.checkpoint_and_more()
    # DeleteRecords is refused for a topic that is only compacted: deleted, and made again empty.
    story.delete_topic("changelog")
    story.pod.lose_state()
    story.is_refused("changelog of partition")


def test_the_changelog_is_deleted_and_the_state_kept(story):
    """The local rows still have everything. But going on with them would fill the new changelog with
    what changes from now on, and the next one who loads it has nothing else: 3 of 201 alerts were lost
    when it did."""
    story.checkpoint_and_more()
    story.delete_topic("changelog")
    story.is_refused("changelog of partition")


def test_the_input_is_made_again_and_is_shorter(story):
    story.checkpoint_and_more()
    story.cluster.delete_topic(story.topology.transactions)
    wait_until(lambda: story.topology.transactions not in story.cluster.topics(), 30, "it to be gone")
    story.cluster.create_topic(story.topology.transactions, PARTITIONS)
    story.is_refused("was deleted and made again", "does not reach", "holds another record")


# ---- the disk ----


@pytest.mark.parametrize("what", ["*.sst", "MANIFEST-*"])
def test_local_files_are_corrupted(story, what):
    """What is read is checked: the state is made again from Kafka, or the process says that it is
    corrupt and a new directory helps."""
    story.checkpoint_and_more()
    chance = random.Random(what)
    files = list(story.pod.state.rglob(what))
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        for _ in range(20):
            data[chance.randrange(len(data))] ^= 0xFF
        path.write_bytes(data)
    story.pod.start()
    story.load.start(1000)
    story.load.thread.join()
    if story.pod.wait_for_death(10):
        assert story.pod.process.popen.returncode > 0
        said = story.pod.log().splitlines()[-1].lower()
        assert "corrupt" in said or "checksum" in said, said
        story.pod.lose_state()
        story.pod.start()
    story.rest()


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_the_disk_is_full(story, tmp_path):
    """It says so, commits nothing beyond what it holds, and goes on once there is room."""
    disk = tmp_path / "disk"
    with small_disk(disk, "64m"):
        story.pod.state = disk / "state"
        story.pod.start()
        story.process(1000)
        free = os.statvfs(disk)
        with open(disk / "filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                filler.write(bytes(free.f_bavail * free.f_frsize))
        story.load.start(2000)
        story.load.thread.join()
        deadline = time.monotonic() + REFUSED_S
        while time.monotonic() < deadline and not story.says_why(("full", "No space")):
            if story.pod.process.running() and story.load.weir.lag() == 0:
                break  # it did not need the room
            time.sleep(0.1)
        if not story.pod.process.running():
            assert story.pod.process.popen.returncode > 0
            said = story.pod.log().splitlines()[-1].lower()
            assert "full" in said or "no space" in said, said
        (disk / "filler").unlink()
        if not story.pod.process.running():
            story.pod.start()
        story.rest()
