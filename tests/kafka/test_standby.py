"""Two processes that keep each other's state at hand. One goes for good, its directory too, while
payments come in; the other goes on from what it has, and the alerts are those of one process that
never failed."""

import shutil
import time

import pytest

import verdict
from cluster import wait_until
from standbys import events, generate, pauses, takeover, tasks, wait_for_standby, wait_for_traffic
from traffic import Traffic
from weir import metrics, read_json

PARTITIONS = 4
BATCH = ["--batch", "60000", "--users", "20000", "--attack-every", "300", "--poison", "0.003",
         "--late", "0.02", "--duplicates", "0.01", "--seed", "11"]
SECONDS, RATE = 15, 400


@pytest.fixture(scope="module")
def traffic(cluster, weir, tmp_path_factory):
    return Traffic(weir, cluster, tmp_path_factory.mktemp("standby"), "standby", BATCH)


def start(weir, folder, number, **settings):
    return weir.start(folder / f"state-{weir.topology.name}-{number}", wait=False, WEIR_WORKERS="1",
                      WEIR_ORDINAL=f"{number:05}", WEIR_STANDBYS="1", **settings)


def both(weir, folder):
    """Two processes, each owner of two partitions and standby for the other two, all caught up."""
    processes = [start(weir, folder, number) for number in range(2)]
    weir.wait_for_end(processes[0])
    wait_for_standby(processes[0], [2, 3])
    wait_for_standby(processes[1], [0, 1])
    assert tasks(processes[0]) == [0, 1] and tasks(processes[1]) == [2, 3]
    return processes


def come_back(back, heir):
    """With an empty directory: it is given its partitions when it has their state, not before."""
    wait_until(lambda: tasks(back) == [0, 1] and tasks(heir) == [2, 3], 120, "partitions to move back")
    assert events(back, "standby.prepared")[0][1]["why"] == '"close', back.output()[-4000:]
    restored = [each for _, each in events(back, "lane.restored")]
    assert {each["partition"] for each in restored} == {"0", "1"}
    assert {each["from"] for each in restored} == {"local"}, back.output()[-4000:]


def end(processes):
    for process in processes:
        process.kill()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_other_goes_on_from_what_it_has(traffic, tmp_path, how, record_property):
    weir = traffic.processor(how)
    weir.create_topics(PARTITIONS)
    processes = both(weir, tmp_path)
    gone, heir = processes
    try:
        done = weir.committed()
        more = generate(weir, SECONDS, RATE, seed=12 if how == "killed" else 13)
        wait_for_traffic(weir, done)
        since_ms = time.time() * 1000
        if how == "killed":
            gone.kill()
        else:
            assert gone.stop() == 0
        shutil.rmtree(tmp_path / f"state-{weir.topology.name}-0")
        assert more.wait(SECONDS + 60) == 0, more.output()
        weir.wait_for_end(heir)
        moved = takeover(heir, since_ms / 1000, [0, 1])
        assert moved["restored"] == [0, 1]
        assert moved["from"] == ["local"], heir.output()[-4000:]
        assert not [at for at, _ in events(heir, "restore.changelog") if at >= since_ms / 1000]
        moved["pause_ms"] = pauses(traffic.cluster, weir.topology, [0, 1], since_ms - 2000)
        record_property("takeover", moved)
        print(f"\n{how}: {moved}")
        processes[0] = back = start(weir, tmp_path, 0)
        come_back(back, heir)
        assert back.stop() == 0
        assert heir.stop() == 0
    except BaseException:
        print(heir.output()[-6000:])
        raise
    finally:
        end(processes)
    traffic.raw = None  # there is more than the other case saw
    verdict.check(traffic.cluster, weir.topology, traffic.judge(weir.topology))
    verdict.check_journal(traffic.cluster, weir.topology, traffic.raw)


def test_it_says_what_it_follows(traffic, tmp_path):
    weir = traffic.processor("seen")
    weir.create_topics(PARTITIONS)
    processes = both(weir, tmp_path)
    try:
        figures = metrics(processes[0])
        assert figures['weir_standby_behind{partition="2"}'] == 0
        assert figures['weir_standby_reloads_total{partition="2"}'] >= 0
        weir.settings["WEIR_STANDBYS"] = "1"
        foretold = read_json(weir.command("status", "--json"))["standbys"]
        names = [f"{weir.topology.name}-{number:05}" for number in range(2)]
        assert [each["processes"] for each in foretold] == [[names[1]]] * 2 + [[names[0]]] * 2
        lines = weir.command("status").stdout.splitlines()
        assert lines[-1].split() == ["3", names[0]], lines
    finally:
        end(processes)
