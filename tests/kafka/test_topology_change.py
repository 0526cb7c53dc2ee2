"""A topology file changes over restarts: what is remembered stays, so that what is new looks back at
once; what cannot be followed is refused, with the way out."""

import json
import shutil
import time

import verdict
from cluster import encode_avro
from oracle import card_fraud, text
from oracle.inputs import HOUR, MINUTE
from payments import Payments, write_tables
from weir import SCHEMAS, Topology, Weir

PARTITIONS = 4
EACH = 4000
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())


def without(topology, *lines):
    for line in lines:
        assert line in topology, line
        topology = topology.replace(line, "")
    return topology


def second(topology):
    """A rule less, a feature less, a wider window, a new window, a new group, a new sum."""
    topology = without(
        topology,
        "  high_amount:\n    when: amount > 3000\n    severity: medium\n",
        "  travel:\n    when: km > 50 and km > 900 * hours(gap)\n    severity: high\n",
        "  gap:             event_time - last(event_time over previous 1)\n",
        "  km:              distance_km(lat, lon, last(lat over previous 1), last(lon over previous 1))\n")
    topology = topology.replace("tx_1m:           count(over 1m)", "tx_1m:           count(over 2m)")
    topology = topology.replace("tx_1m > 5", "tx_1m > 3")
    return topology.replace("\nrules:\n", """
  same_shop_1h: count(over 1h by user_id, merchant_id)
  spend_3h: sum(amount over 3h)
rules:
  spender:
    when: spend_3h > 5000
    severity: low
    message: "{spend_3h} in three hours"
    repeat: once per 1h
  loyal:
    when: same_shop_1h > 4
    severity: low
""")


def third(topology):
    """The first again, with another limit, and a field that older events do not have."""
    topology = topology.replace("amount > 3000", "amount > 2000")
    topology = topology.replace("      home_country:", "      is_big: amount > 60\n      home_country:")
    return topology.replace("\nrules:\n", """
  big_6h: count(where is_big over 6h)
rules:
  big_spender:
    when: big_6h > 12
    severity: low
""")


class Spender(card_fraud.Rule):
    name, severity, looks_back, repeat = "spender", "low", True, HOUR

    def spent(self, look):
        return sum(event.cents for event in look.over(3 * HOUR))

    def holds(self, look):
        return self.spent(look) > 500_000

    def operands(self, look):
        return [("spend_3h", text.cents(self.spent(look)), ">", "5000")]

    def message(self, look):
        return f"{text.cents(self.spent(look))} in three hours"

    def counted(self, look):
        return [look.over(3 * HOUR)]


class Loyal(card_fraud.Rule):
    name, severity, looks_back = "loyal", "low", True

    def there(self, look):
        return [event for event in look.over(HOUR) if event.merchant == look.event.merchant]

    def holds(self, look):
        return len(self.there(look)) > 4

    def operands(self, look):
        return [("same_shop_1h", str(len(self.there(look))), ">", "4")]

    def counted(self, look):
        return [self.there(look)]


class Big(card_fraud.Rule):
    """`since`: partition's offset from which on events have the field."""

    name, severity, looks_back = "big_spender", "low", True

    def __init__(self, since):
        self.since = since

    def big(self, look):
        return [event for event in look.over(6 * HOUR)
                if event.offset >= self.since and event.cents > 6000]

    def holds(self, look):
        return len(self.big(look)) > 12

    def operands(self, look):
        return [("big_6h", str(len(self.big(look))), ">", "12")]

    def counted(self, look):
        return [self.big(look)]


class WiderVelocity(card_fraud.Velocity):
    span, limit = 2 * MINUTE, 3

    def message(self, look):
        spent = sum(event.cents for event in look.over(MINUTE))
        return f"{look.count(self.span)} payments in one minute, {text.cents(spent)} in all"


class LowerLimit(card_fraud.HighAmount):
    limit = 2000


def rules_of_phases(ends_first, ends_second):
    """ends_...: per partition the offset at which the topology changed."""

    def rules(table):
        first = card_fraud.rules(table)
        gone = ("high_amount", "travel", "velocity")
        changed = [Spender(), Loyal(), WiderVelocity()]
        changed += [rule for rule in first if rule.name not in gone]
        last = {partition: [Big(end), *(LowerLimit() if rule.name == "high_amount" else rule
                                        for rule in first)]
                for partition, end in ends_second.items()}

        def rules_at(partition, offset):
            if offset < ends_first[partition]:
                return first
            return changed if offset < ends_second[partition] else last[partition]

        return rules_at

    return rules


class Change:
    def __init__(self, program, cluster, folder, prefix):
        self.cluster = cluster
        self.topology = Topology(folder, "card-fraud-local.yaml", prefix)
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.payments = Payments(seed=23)
        write_tables(cluster, self.topology, self.payments, PROFILE)
        self.schema_id = cluster.registry.register(f"{self.topology.transactions}-value", TRANSACTION)

    def write(self):
        self.cluster.produce(self.topology.transactions, (
            {"key": payment["user_id"], "timestamp": self.payments.now_ms,
             "value": encode_avro(self.schema_id, TRANSACTION, payment)}
            for payment in self.payments.take(EACH)))
        return self.cluster.end_offsets(self.topology.transactions)


def test_what_is_remembered_stays(weir, cluster, tmp_path, unique):
    change = Change(weir, cluster, tmp_path, unique)
    program, state, shipped = change.weir, tmp_path / "state", change.topology.text
    started_ms = int(time.time() * 1000)

    ends_first = change.write()
    with program.running(state) as process:
        program.wait_for_end(process)

    old = tmp_path / "old.yaml"
    old.write_text(shipped)
    change.topology.write(second(shipped))
    planned = program.command("plan", "--changed-from", old).stdout
    assert "rule spender is new" in planned and "rule high_amount is gone" in planned
    ends_second = change.write()
    process = program.start(state)
    program.wait_for_end(process)
    process.kill()
    shutil.rmtree(state)  # the third one meets the second one's changelog

    change.topology.write(third(shipped))
    change.write()
    with program.running(state) as process:
        program.wait_for_end(process)
        assert "task.topology_changed" in process.output()

    judgement = verdict.expected(cluster, change.topology, (started_ms, int(time.time() * 1000)),
                                 rules=rules_of_phases(ends_first, ends_second))
    rules = verdict.rules_of(judgement)
    assert {"spender", "loyal", "big_spender", "travel", "velocity"} <= set(rules), rules
    verdict.check(cluster, change.topology, judgement)


def by_card(topology):
    """Whose event it is: the card's. Profiles are partitioned by user, so they have to go."""
    topology = without(
        topology,
        "      home_country: profiles[user_id].country\n",
        topology[topology.index("  profiles:\n"):topology.index("\nfeatures:")],
        topology[topology.index("  location_mismatch:\n"):topology.index("  blocked_merchant:\n")])
    topology = topology.replace("key: user_id ", "key: card_id ", 1)
    topology = topology.replace("by user_id, card_id", "by card_id")
    return topology.replace("by user_id, device_id", "by card_id, device_id")


def test_another_key_is_refused(weir, cluster, tmp_path, unique):
    change = Change(weir, cluster, tmp_path, unique)
    program, state, shipped = change.weir, tmp_path / "state", change.topology.text
    started_ms = int(time.time() * 1000)
    change.write()
    with program.running(state) as process:
        program.wait_for_end(process)

    change.write()
    old = tmp_path / "old.yaml"
    old.write_text(shipped)
    change.topology.write(by_card(shipped))
    planned = program.command("plan", "--changed-from", old, check=False)
    assert planned.returncode == 3 and "weir reset" in planned.stdout
    process = program.start(state, wait=False)
    assert process.wait(60) != 0
    said = process.output()
    assert "the key of stream 'payments' was 'user_id' and is now 'card_id'" in said
    assert "weir reset" in said and "new name" in said

    # Nothing was touched: the old file goes on where it stopped.
    change.topology.write(shipped)
    with program.running(state) as process:
        program.wait_for_end(process)
    judgement = verdict.expected(cluster, change.topology, (started_ms, int(time.time() * 1000)))
    verdict.check(cluster, change.topology, judgement)
