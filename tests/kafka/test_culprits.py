"""One record among many that cannot be borne: what it leads to is refused by the broker, or the process
dies at it. It alone becomes a dead letter; everything else goes on."""

import io
import json
import os
import random
import subprocess

import fastavro
import verdict
from cluster import encode_avro, wait_until
from payments import Payments, write_tables
from weir import SCHEMAS, Topology, Weir, get, metrics

PARTITIONS = 2
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())
LIMIT = 20_000
DEADLY_LATITUDE = 12.3456789
# A library that the rules call dies for one argument.
DEADLY = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
double Sleef_cinz_cosd1_u10purec(double x);
double Sleef_cinz_cosd1_u10purec(double x)
{
    double (*cosine)(double) = (double (*)(double))dlsym(RTLD_NEXT, "Sleef_cinz_cosd1_u10purec");
    if (fabs(x - %.9f * acos(-1) / 180) < 1e-9)
        abort();
    return cosine(x);
}
"""


class Place:
    def __init__(self, program, cluster, folder, prefix, edit=lambda text: text, **config):
        self.cluster = cluster
        self.topology = Topology(folder, "card-fraud-local.yaml", prefix, edit=edit)
        for name, settings in config.items():
            cluster.create_topic(getattr(self.topology, name), PARTITIONS, **settings)
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.payments = Payments(seed=5)
        write_tables(cluster, self.topology, self.payments, PROFILE)
        self.schema_id = cluster.registry.register(f"{self.topology.transactions}-value", TRANSACTION)

    def write(self, payments):
        self.cluster.produce(self.topology.transactions, (
            {"key": payment["user_id"], "timestamp": self.payments.now_ms,
             "value": encode_avro(self.schema_id, TRANSACTION, payment)} for payment in payments))

    def sources(self, ids):
        """{(partition, offset)} of the payments with these ids."""
        found = set()
        for message in self.cluster.each_message(self.topology.transactions):
            payment = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), TRANSACTION, None)
            if payment["tx_id"] in ids:
                found.add((message.partition(), message.offset()))
        return found

    def check(self, ids, reason, sure):
        """Only `ids` are dead letters; the journal says that they were skipped; `sure` raised alerts."""
        letters = verdict.dead_letters(self.cluster, self.topology)
        sources = self.sources(ids)
        assert len(sources) == len(ids)
        assert sorted(letters) == sorted((self.topology.transactions, *source, reason)
                                         for source in sources)
        schema = fastavro.parse_schema(verdict.without_logical_types(
            json.loads((SCHEMAS / "journal.avsc").read_text())))
        skipped = set()
        for partition in range(PARTITIONS):
            for message in self.cluster.each_message(self.topology.journal, partition=partition):
                assert message.value()[0] == 2
                entry = fastavro.schemaless_reader(io.BytesIO(message.value()[1:]), schema, None)
                skipped |= {(partition, each["offset"], each["reason"]) for each in entry["skipped"]}
        assert skipped == {(*source, reason) for source in sources}
        alerts = [verdict.decoded(body)
                  for body in verdict.raised_alerts(self.cluster, self.topology)]
        events = [alert["event_id"] for alert in alerts if alert["rule"] == "high_amount"]
        assert len(events) == len(set(events)), "an alert twice"
        assert sure <= set(events) and not ids & set(events)


def sure_alerts(payments, culprits):
    """Ids of payments that the simplest of rules must have alerted on."""
    ids = {payment["tx_id"] for payment in payments if payment["amount_cents"] > 300_000}
    assert len(ids - culprits) > 2
    return ids - culprits


def test_a_refused_output_is_one_record_s_dead_letter(weir, cluster, tmp_path, unique):
    place = Place(weir, cluster, tmp_path, unique, alerts={"max.message.bytes": str(LIMIT)},
                  edit=lambda text: text.replace(
                      "    when: amount > 3000\n",
                      '    when: amount > 3000\n    message: "{merchant_id}"\n'))
    payments = place.payments.take(3000)
    culprits = set()
    for at in (700, 701, 1900):
        payments[at] |= {"merchant_id": random.Random(at).randbytes(20_000).hex(),
                         "amount_cents": 400_000}
        culprits.add(payments[at]["tx_id"])
    place.write(payments)
    with place.weir.running(tmp_path / "state") as process:
        place.weir.wait_for_end(process)
        assert metrics(process)["weir_recoveries_total"] == 0
    place.check(culprits, "too_large", sure_alerts(payments, culprits))


def test_a_record_that_kills_is_given_up_the_fourth_time(weir, cluster, tmp_path, unique):
    (tmp_path / "deadly.c").write_text(DEADLY % DEADLY_LATITUDE)
    library = tmp_path / "deadly.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library,
                    tmp_path / "deadly.c", "-ldl", "-lm"], check=True)
    place = Place(weir, cluster, tmp_path, unique)
    payments = place.payments.take(1500)
    user = payments[0]["user_id"]
    at = max(i for i, payment in enumerate(payments[:1000]) if payment["user_id"] == user)
    payments[at] |= {"lat": DEADLY_LATITUDE}
    culprits = {payments[at]["tx_id"]}
    place.write(payments)
    state = tmp_path / "state"
    for death in range(1, 5):
        process = place.weir.start(state, wait=False, LD_PRELOAD=str(library))
        wait_until(lambda p=process: not p.running(), 60, f"death {death}")
        assert process.popen.returncode == -6, process.output()[-3000:]
        assert not verdict.dead_letters(cluster, place.topology)

    process = place.weir.start(state, wait=False, LD_PRELOAD=str(library))
    try:
        place.weir.wait_for_end(process)
        assert not place.weir.is_ready(process)
        port_says = subprocess.run(
            [weir, "acknowledge", "--list"], capture_output=True, text=True, check=True,
            env={**os.environ, "WEIR_STATE": str(state)}, cwd=tmp_path).stdout
        assert "the process died 4 times at this record" in port_says
        assert get(process, "/healthz") is not None
        subprocess.run([weir, "acknowledge"], check=True, cwd=tmp_path,
                       env={**os.environ, "WEIR_STATE": str(state)})
        wait_until(lambda: place.weir.is_ready(process), 30, "ready after the acknowledgement")
    finally:
        code = process.stop()
    assert code == 0, process.output()[-3000:]
    place.check(culprits, "crashed", sure_alerts(payments, culprits))
    # It is over: the next start knows of nothing.
    with place.weir.running(state, LD_PRELOAD=str(library)) as process:
        assert "process.died" not in process.output()
