"""A group coordinator that has lost offsets which its log still holds: a broker's fault, not weir's.

Seen with Kafka 4.2.0, one node that was killed with -9: the coordinator took its log for empty ("out of sync with the
underlying log. The last written offset returned is 21503 while the coordinator expected 1"), or for shorter than it was
("is 73658 while the coordinator expected 32772"), and went on like that: without offsets, or with those of long ago.
weir refuses to go on then and names the way out, which is taken here too."""

import struct
import time

from cluster import wait_until

TOPIC = "__consumer_offsets"
SAID = ("has state in its tail but the group has no committed offsets for it",
        "older than the local state", "`weir recover` puts them right")
OFFSET_KEYS = (0, 1)
LOOKS = 10
RECOVER_S = 120


def is_suspected(log):
    """By the log of a process."""
    return any(text in log for text in SAID)


def text_at(data, at):
    """(the text, where it ends): a size of two bytes is in front."""
    size, = struct.unpack_from(">h", data, at)
    return data[at + 2:at + 2 + size].decode(), at + 2 + size


def key_of(data):
    """(group, topic, partition), or None: it is no offset."""
    if struct.unpack_from(">h", data)[0] not in OFFSET_KEYS:
        return None
    group, at = text_at(data, 2)
    topic, at = text_at(data, at)
    return group, topic, struct.unpack_from(">i", data, at)[0]


def offsets_in_log(cluster, group, topic):
    """{partition: offset}, as the log of the coordinator has them, whatever the coordinator says."""
    offsets = {}
    for message in cluster.each_message(TOPIC):
        key = key_of(message.key())
        if key is None or key[:2] != (group, topic):
            continue
        if message.value() is None:
            offsets.pop(key[2], None)
        else:
            offsets[key[2]], = struct.unpack_from(">q", message.value(), 2)
    return offsets


def has_lost_offsets(weir):
    """Does the coordinator go on without, or behind, an offset that its log holds? Nobody may commit meanwhile."""
    group, topic = weir.topology.name, weir.topology.transactions
    logged = offsets_in_log(weir.cluster, group, topic)
    for _ in range(LOOKS):
        known = weir.cluster.committed_offsets(group, topic)
        if all(known.get(partition, -1) >= offset for partition, offset in logged.items()):
            return False
        time.sleep(1)
    return True


def put_offsets_back(weir):
    """What weir says to do; its members are away, and the group learns it when their sessions have timed out."""
    wait_until(lambda: weir.command("recover", "--yes", check=False).returncode == 0, RECOVER_S, "`weir recover`",
               pause_s=1)
