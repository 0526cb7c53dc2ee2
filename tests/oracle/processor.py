"""One partition after the other, one record after the other: alerts and dead letters.

A late event: the newer events of its user are judged before it goes in and after, and a rule that
holds now where it did not hold before alerts there, once per event and rule, naming the late one.

`repeat: once per D` holds a rule back at an event that lies less than D from the newest event of
the user that the rule alerted on, before or after. That newest event is compared in the order in
which alerts are raised: first at the event in hand, then at the newer ones, oldest first.
"""

from collections import Counter
from typing import NamedTuple

import xxhash

from oracle import card_fraud
from oracle.inputs import (DAY, AvroReader, Dedupe, Payment, Placement, Punctuality, Refused,
                           Versions, blocked_merchants)
from oracle.lookback import Look, User

EVENTS_MAX = 32


class Judgement(NamedTuple):
    alerts: list        # as fraud-alert.avsc says, times in microseconds
    dead_letters: list  # (topic, partition, offset, reason)
    counts: Counter     # events, duplicates, late, alerts by late events


class Settings(NamedTuple):
    topology: str = "card-fraud"
    stream: str = "payments"
    topic: str = "transactions"
    profile_topic: str = "user-profiles"
    partitioner: str = "murmur2"
    mode: str = "live"
    # When weir polled: nothing in the input lies between these two by more than the five minutes.
    clock_ms: tuple = (0, 1 << 50)


def alert_id(topology, rule, event_id):
    """XXH3 of 128 bits over the three texts, each behind its length (below 128: one byte)."""
    parts = bytearray()
    for part in (topology, rule, event_id):
        encoded = part.encode()
        length = len(encoded)
        while length > 127:
            parts.append(length & 127 | 128)
            length >>= 7
        parts.append(length)
        parts += encoded
    return xxhash.xxh3_128_hexdigest(bytes(parts))


class Partition:
    """One partition: its users, its time, its part of the profiles."""

    def __init__(self, settings, number, rules_at, home_of=None):
        self.settings = settings
        self.number = number
        self.rules_at = rules_at  # offset -> the rules that judge what arrives there
        self.users = {}
        self.profiles = Versions(30 * DAY)
        self.home_of = home_of or (lambda profile: profile["country"])
        self.punctuality = Punctuality(settings.clock_ms)
        self.dedupe = Dedupe()
        self.judgement = Judgement([], [], Counter())

    # ---- tables ----

    def take_profile(self, reader, record):
        if record.value is None:
            self.profiles.put(record.key.decode(), record.timestamp_ms * 1000, None)
            return
        row = reader.read(record.value)
        self.profiles.put(row["user_id"], row["updated_at"] * 1000, row)

    # ---- payments ----

    def take(self, reader, placement, record):
        try:
            row = self.read(reader, placement, record)
        except Refused as refused:
            self.judgement.dead_letters.append(
                (self.settings.topic, record.partition, record.offset, str(refused)))
            return
        event = Payment(row, record.offset)
        if self.dedupe.is_duplicate(event.user, event.id, event.time):
            self.judgement.counts["duplicates"] += 1
            return
        self.punctuality.accept(event.time)
        profile = self.profiles.get(event.user, event.time)
        event.home = None if profile is None else self.home_of(profile)
        event.more = row.get("channel")
        self.judge(event)

    def read(self, reader, placement, record):
        if record.value is None:
            raise Refused("null_value")
        row = reader.read(record.value)
        if not row["user_id"]:
            raise Refused("null_key")
        if not row["tx_id"]:
            raise Refused("null_id")
        placement.check(record, row["user_id"])
        self.punctuality.check(row["event_time"] * 1000)
        return row

    def judge(self, event):
        rules = self.rules_at(event.offset)
        user = self.users.setdefault(event.user, User())
        turning = [rule for rule in rules if rule.looks_back]
        position = user.place_of(event.time)
        held = [self.holding(turning, user, at) for at in range(position, len(user.events))]
        user.insert(event)
        self.judgement.counts["events"] += 1
        for rule in self.holding(rules, user, position):
            self.raise_alert(rule, user, position, None)
        if not held:
            return
        self.judgement.counts["late"] += 1
        for at, held_there in enumerate(held, position + 1):
            there = user.events[at]
            for rule in self.holding(turning, user, at):
                if rule not in held_there and rule.name not in there.alerted:
                    self.raise_alert(rule, user, at, event)

    @staticmethod
    def holding(rules, user, position):
        look = Look(user, position)
        return [rule for rule in rules if rule.holds(look)]

    def raise_alert(self, rule, user, position, cause):
        event = user.events[position]
        if rule.repeat is not None:
            last = user.last_alert.get(rule.name)
            if last is not None and abs(event.time - last) < rule.repeat:
                return
            if last is None or event.time > last:
                user.last_alert[rule.name] = event.time
        event.alerted += (rule.name,)
        self.judgement.counts["caused by late events"] += cause is not None
        self.judgement.alerts.append(self.alert(rule, Look(user, position), cause))

    def alert(self, rule, look, cause):
        event, settings = look.event, self.settings
        counted = rule.counted(look)
        return {
            "alert_id": alert_id(settings.topology, rule.name, event.id),
            "topology": settings.topology,
            "rule": rule.name,
            "rule_version": rule.version,
            "severity": rule.severity,
            "entity": event.user,
            "stream": settings.stream,
            "event_id": event.id,
            "event_time": event.time,
            "source_topic": settings.topic,
            "source_partition": self.number,
            "source_offset": event.offset,
            "message": rule.message(look),
            "operands": [dict(zip(("operand", "value", "comparison", "limit"), each))
                         for each in rule.operands(look)],
            "events": [{"partition": self.number, "offset": each.offset, "time": each.time}
                       for each in self.newest(counted, look)],
            "event_count": max(map(len, counted), default=0),
            "caused_by": None if cause is None else {
                "event_id": cause.id, "partition": self.number, "offset": cause.offset,
                "time": cause.time},
            "mode": settings.mode,
        }

    @staticmethod
    def newest(counted, look):
        """Of all look-backs together, without doubles, newest first. Offsets tell events apart."""
        offsets = {event.offset for took in counted for event in took}
        wanted = min(len(offsets), EVENTS_MAX)
        found = []
        for event in reversed(look.user.events[:look.position + 1]):
            if len(found) == wanted:
                break
            if event.offset in offsets:
                found.append(event)
        return found


def merged(payments, profiles):
    """The two topics of a partition in the order in which they are taken: each in its own order, the
    smaller timestamp of the two next ones first, the profile where they are equal."""
    profiles = iter(profiles)
    profile = next(profiles, None)
    for payment in payments:
        while profile is not None and profile.timestamp_ms <= payment.timestamp_ms:
            yield True, profile
            profile = next(profiles, None)
        yield False, payment


def judge(payments, profiles, blocked, schemas, settings=Settings(), rules=None, home_of=None):
    """payments, profiles: per partition a list of records. blocked: all records of the table.
    schemas: {"transaction": reader schema, "profile": reader schema, "of": id -> schema or None}.
    rules: (table of blocked merchants) -> (partition, offset) -> list of rules."""
    table = blocked_merchants(blocked)
    fixed = card_fraud.rules(table)
    rules_at = rules(table) if rules else lambda partition, offset: fixed
    payment_reader = AvroReader(schemas["transaction"], schemas["of"])
    profile_reader = AvroReader(schemas["profile"], schemas["of"])
    placement = Placement(settings.partitioner, len(payments))
    total = Judgement([], [], Counter())
    for number, records in enumerate(payments):
        partition = Partition(settings, number,
                              lambda offset, number=number: rules_at(number, offset), home_of)
        for is_profile, record in merged(records, profiles[number]):
            if is_profile:
                partition.take_profile(profile_reader, record)
            else:
                partition.take(payment_reader, placement, record)
        total.alerts.extend(partition.judgement.alerts)
        total.dead_letters.extend(partition.judgement.dead_letters)
        total.counts.update(partition.judgement.counts)
    return total
