"""The main job on a real broker: what `weir run` says of generated traffic is what the oracle says,
no alert lost, none twice, although it is killed in the middle."""

from collections import Counter

import verdict

REASONS = {"bad_framing", "undecodable", "unknown_schema", "null_value", "null_key", "null_id",
           "future", "late", "wrong_partition"}


def check(traffic, weir):
    judgement = traffic.judge(weir.topology)
    verdict.check(traffic.cluster, weir.topology, judgement)
    verdict.check_journal(traffic.cluster, weir.topology, traffic.raw)
    # The traffic is worth the comparison: every rule, late events, every kind of poison.
    assert len(verdict.rules_of(judgement)) == 8
    assert judgement.counts["caused by late events"] > 0
    reasons = Counter(reason for *_, reason in judgement.dead_letters)
    assert reasons == Counter(line["reason"] for line in traffic.truth if "poison" in line)
    assert set(reasons) == REASONS


def test_kill_9_with_the_state_kept(traffic, killed_run):
    check(traffic, killed_run)


def test_kill_9_with_the_state_lost(traffic, killed_run_without_state):
    check(traffic, killed_run_without_state)
