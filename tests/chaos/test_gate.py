"""A small campaign: kill -9 at every kill point at least once, 100 kills and more, and other faults
in between; then the oracle."""

import kill_points
from campaign import Campaign
from cluster import Cluster
from world import BROKER_SETTINGS, JVM, fast_folder

SEED = 4
KILLS = 100
# On a machine that has nothing else to do, a quarter of the six minutes that a gate may take.
SECONDS_MAX = 1800


def test_every_kill_point_and_a_hundred_kills(chaos_weir):
    with fast_folder() as folder, Cluster(f"{folder}/cluster", settings=BROKER_SETTINGS, jvm=JVM) as cluster:
        campaign = Campaign(chaos_weir, cluster, folder, events=60_000, rate=100,
                            script=kill_points.NAMES)
        campaign.run_round(SEED, KILLS, SECONDS_MAX)
    figures = campaign.figures()
    print(figures)
    assert not campaign.findings, "\n".join(
        f"{each['fault']}: {each['what']}\n{each['log']}" for each in campaign.findings)
    assert set(figures["killed_at"]) == set(kill_points.NAMES)
    assert figures["kills"] >= KILLS
    assert figures["alerts"] > 0 and figures["dead_letters"] > 0


def test_what_is_shipped_has_no_kill_points(weir, chaos_weir):
    """And the test would see them."""
    for text in (b"WEIR_KILL_POINT", b"kill_point", b"kill point ", b"shut_down_checkpoint"):
        assert text in chaos_weir.read_bytes()
        assert text not in weir.read_bytes()
