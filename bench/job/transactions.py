"""What a broker's own log files say of transactions: how many there were, and how many partitions each touched.

Whoever commits, the broker writes a marker into each partition that a transaction touched, and into that of the group's
offsets. So all are counted in one way, by nobody's own account.
"""

import os
import pathlib
import struct

# Of a record batch (KIP-98): its length, and then from its beginning to the time of its last record.
HEAD = struct.Struct(">qiibIhiqq")
BEFORE_LENGTH = 12
CONTROL = 0x20
OFFSETS = "__consumer_offsets"


class Transactions:
    """Counts markers in the topics that are wanted, from where it looked last. Look before segments are deleted."""

    def __init__(self, data, prefix):
        self.data, self.prefix = pathlib.Path(data), prefix
        self.read = {}
        self.markers = {}

    def look(self):
        """{topic: markers so far}"""
        for folder in self.data.iterdir():
            topic = folder.name.rpartition("-")[0]
            if topic == OFFSETS or topic.startswith(self.prefix):
                for file in folder.glob("*.log"):
                    try:
                        self.markers[topic] = self.markers.get(topic, 0) + self.new_markers(file)
                    except FileNotFoundError:
                        pass  # deleted meanwhile
        return dict(self.markers)

    def new_markers(self, file):
        position, found = self.read.get(file, 0), 0
        with open(file, "rb") as log:
            size = os.fstat(log.fileno()).st_size
            while position + HEAD.size <= size:
                _, length, _, _, _, attributes, _, _, _ = HEAD.unpack(os.pread(log.fileno(), HEAD.size, position))
                if length <= 0 or position + BEFORE_LENGTH + length > size:
                    break  # it is being written
                found += (attributes & CONTROL) != 0
                position += BEFORE_LENGTH + length
        self.read[file] = position
        return found


def between(before, after):
    """(transactions, partitions per transaction, {topic: partitions per transaction}) between two looks; the group's
    offsets are one partition."""
    grown = {topic: count - before.get(topic, 0) for topic, count in after.items()}
    count = grown.pop(OFFSETS, 0)
    if count == 0:
        return 0, 0.0, {}
    by_topic = {topic: more / count for topic, more in grown.items() if more > 0}
    return count, 1 + sum(by_topic.values()), by_topic
