"""The main job in full size: a million payments on a real broker, two workers, kill -9 in the
middle, once with the local state kept and once with it lost; every alert in every field, every dead
letter with its reason."""

import time
from collections import Counter

import verdict
from cluster import CACHE, kafka_version
from traffic import Traffic, run_and_kill

EVENTS = 1_000_000
SEED = 20260131
OPTIONS = ["--batch", str(EVENTS), "--seed", str(SEED), "--start", "2026-01-31T12:00:00Z",
           "--attack-every", "500", "--poison", "0.001", "--late", "0.02", "--duplicates", "0.01"]


def measured(traffic, folder, name, state_is_kept):
    started = time.monotonic()
    weir = run_and_kill(traffic, folder, name, state_is_kept, share=0.5)
    ran = time.monotonic()
    judgement = traffic.judge(weir.topology)
    verdict.check(traffic.cluster, weir.topology, judgement)
    verdict.check_journal(traffic.cluster, weir.topology, traffic.raw)
    reasons = Counter(reason for *_, reason in judgement.dead_letters)
    assert reasons == Counter(line["reason"] for line in traffic.truth if "poison" in line)
    assert len(verdict.rules_of(judgement)) == 8
    return {
        "state": "kept" if state_is_kept else "lost",
        "committed_when_killed": weir.killed_at,
        "run_seconds": round(ran - started, 1),
        "oracle_seconds": round(time.monotonic() - ran, 1),
        "alerts": len(judgement.alerts), "alerts_per_rule": dict(verdict.rules_of(judgement)),
        "dead_letters": dict(reasons), **judgement.counts,
        "lost": 0, "duplicated": 0, "different": 0,
    }


def test_a_million_payments(cluster, weir, tmp_path, evidence):
    traffic = Traffic(weir, cluster, tmp_path, "million", OPTIONS)
    runs = [measured(traffic, tmp_path, name, state_is_kept)
            for name, state_is_kept in (("kept", True), ("lost", False))]
    evidence("exactly-once", seed=SEED, events=EVENTS, generated_with=OPTIONS, partitions=4,
             workers=2, runs=runs,
             kafka=kafka_version(),
             registry=sorted(path.name for path in (CACHE / "registry").glob("*-runner.jar")))
