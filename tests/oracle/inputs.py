"""Raw records to payments: framing, Avro, keys, partitions, clocks; the reason where that fails.

A record is (partition, offset, timestamp_ms, key, value), the last two bytes or None.
"""

import io
import json
import sys
import zlib
from typing import NamedTuple, Optional

import fastavro

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp_ms: int
    key: Optional[bytes]
    value: Optional[bytes]


class Refused(Exception):
    """A dead letter; the text is its reason."""


class Payment:
    """One event: what the rules read, and which rules have alerted on it."""

    __slots__ = ("offset", "time", "id", "user", "card", "merchant", "device", "country", "cents",
                 "lat", "lon", "home", "alerted", "more")

    def __init__(self, row, offset):
        self.offset = offset
        self.time = row["event_time"] * 1000
        self.id = row["tx_id"]
        self.user = row["user_id"]
        self.card = sys.intern(row["card_id"])
        self.merchant = sys.intern(row["merchant_id"])
        device = row["device_id"]
        self.device = device if device is None else sys.intern(device)
        self.country = sys.intern(row["country"])
        self.cents = row["amount_cents"]
        self.lat = row["lat"]
        self.lon = row["lon"]
        self.home = None
        self.alerted = ()
        self.more = None


def without_logical_types(schema):
    """Plain integers instead of datetime objects."""
    if isinstance(schema, dict):
        return {name: without_logical_types(part) for name, part in schema.items()
                if name != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    return schema


class AvroReader:
    """Confluent's framing. `schema_of(id)` gives the writer's schema as a dict, or None."""

    def __init__(self, reader_schema, schema_of):
        self.reader = fastavro.parse_schema(without_logical_types(reader_schema))
        self.schema_of = schema_of
        self.writers = {}

    def _writer(self, schema_id):
        if schema_id not in self.writers:
            schema = self.schema_of(schema_id)
            self.writers[schema_id] = (
                None if schema is None else fastavro.parse_schema(without_logical_types(schema)))
        return self.writers[schema_id]

    def read(self, value):
        if len(value) < 5 or value[0] != 0:
            raise Refused("bad_framing")
        writer = self._writer(int.from_bytes(value[1:5], "big"))
        if writer is None:
            raise Refused("unknown_schema")
        stream = io.BytesIO(value[5:])
        try:
            row = fastavro.schemaless_reader(stream, writer, self.reader)
        except (EOFError, IndexError, ValueError, TypeError, UnicodeDecodeError) as error:
            raise Refused("undecodable") from error
        if stream.read(1):
            raise Refused("undecodable")
        return row


class JsonReader:
    """Good enough for tables: the tests write no wrong rows there."""

    def read(self, value):
        return json.loads(value)


# ---- where a key belongs ----


def murmur2(data):
    """Kafka's hash, after Austin Appleby's MurmurHash2."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for (k,) in _words(data[:whole]):
        k = k * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def _words(data):
    import struct

    return struct.iter_unpack("<I", data)


def murmur2_partition(key, count):
    return (murmur2(key) & 0x7FFFFFFF) % count


def crc32_partition(key, count):
    return zlib.crc32(key) % count


PARTITIONERS = {"murmur2": murmur2_partition, "crc32": crc32_partition}


class Placement:
    """The partition that each key belongs to. Users come again and again, so it is remembered."""

    def __init__(self, partitioner, count):
        self.place = PARTITIONERS[partitioner]
        self.count = count
        self.known = {}

    def check(self, record, user):
        key = user.encode()
        if record.key != key:
            raise Refused("wrong_partition")
        partition = self.known.get(key)
        if partition is None:
            partition = self.known[key] = self.place(key, self.count)
        if partition != record.partition:
            raise Refused("wrong_partition")


# ---- clocks ----


class Punctuality:
    """Of one partition: neither too far ahead of the clock nor too far behind the newest event.

    The clock is the time when weir polled the record, which only weir knows. The tests say between
    which times that was; an event for which it matters when exactly is a mistake of the test.
    """

    def __init__(self, clock_ms, max_ahead=5 * MINUTE, accept_late=HOUR):
        self.clock_first, self.clock_last = (each * 1000 for each in clock_ms)
        self.max_ahead = max_ahead
        self.accept_late = accept_late
        self.newest = None

    def check(self, time):
        if time < 0:
            raise Refused("null_time")
        if time - self.clock_last > self.max_ahead:
            raise Refused("future")
        if time - self.clock_first > self.max_ahead:
            raise ValueError(f"nobody knows whether an event at {time} us is from the future")
        if self.newest is not None and self.newest - time > self.accept_late:
            raise Refused("late")

    def accept(self, time):
        if self.newest is None or time > self.newest:
            self.newest = time


class Dedupe:
    """Of one partition: an id of a user counts once within the span, either way."""

    def __init__(self, span=DAY):
        self.span = span
        self.taken = {}

    def is_duplicate(self, user, event_id, time):
        """Else it is taken."""
        times = self.taken.setdefault((user, event_id), [])
        if any(abs(time - before) <= self.span for before in times):
            return True
        times.append(time)
        return False


# ---- tables ----


class Versions:
    """Rows by key, as of a time. Replaced rows are kept for `span`, counted from the newest back,
    and the one that was current then."""

    def __init__(self, span):
        self.span = span
        self.rows = {}

    def put(self, key, time, row):
        versions = self.rows.setdefault(key, [])
        versions.append((time, len(versions), row))
        versions.sort(key=lambda version: version[:2])
        border = versions[-1][0] - self.span
        while len(versions) > 1 and versions[1][0] <= border:
            versions.pop(0)

    def get(self, key, time):
        for when, _, row in reversed(self.rows.get(key, ())):
            if when <= time:
                return row
        return None


class Latest:
    """Rows by key, the newest only."""

    def __init__(self):
        self.rows = {}

    def put(self, key, time, row):
        if key not in self.rows or self.rows[key][0] <= time:
            self.rows[key] = (time, row)

    def __contains__(self, key):
        return self.rows.get(key, (0, None))[1] is not None


def blocked_merchants(records):
    """All rows of an `everywhere` table: it is complete before the first payment."""
    table = Latest()
    for record in records:
        row = None if record.value is None else JsonReader().read(record.value)
        key = record.key.decode() if row is None else row["merchant_id"]
        table.put(key, record.timestamp_ms * 1000, row)
    return table
