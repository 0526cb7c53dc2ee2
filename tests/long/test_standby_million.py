"""A move of the state of a million customers, their profiles and what they paid: how long its
partitions are silent, with a standby and without, killed and stopped. Measured, not asserted: what
is asserted is how the state came."""

import os
import shutil
import time

from standbys import events, generate, pauses, takeover, wait_for_standby, wait_for_traffic
from traffic import Traffic

PARTITIONS = 4
USERS = 1_000_000
EVENTS = 500_000
OPTIONS = ["--batch", str(EVENTS), "--users", str(USERS), "--seed", "20260131"]
SECONDS, RATE, BEFORE_S = 60, 500, 10


def start(weir, folder, number, standbys):
    return weir.start(folder / f"state-{weir.topology.name}-{number}", wait=False, WEIR_WORKERS="1",
                      WEIR_ORDINAL=f"{number:05}", WEIR_STANDBYS=str(standbys), WEIR_MEMORY="1GB")


def size_of(folder):
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def drop_caches():
    """What the system remembers of files; not everybody may."""
    try:
        with open("/proc/sys/vm/drop_caches", "w") as caches:
            caches.write("1")
        return True
    except OSError:
        return False


def run(traffic, folder, name, standbys, killed):
    weir = traffic.processor(name)
    weir.create_topics(PARTITIONS)
    processes = gone, heir = [start(weir, folder, number, standbys) for number in range(2)]
    try:
        weir.wait_for_end(gone, timeout_s=1200)
        if standbys:
            wait_for_standby(heir, [0, 1], timeout_s=1200)
        caught_up = events(heir, "standby.loading")
        done = weir.committed()
        more = generate(weir, SECONDS, RATE, seed=99)
        wait_for_traffic(weir, done)
        time.sleep(BEFORE_S)
        cold = drop_caches()
        since = time.time()
        if killed:
            gone.kill()
        else:
            assert gone.stop(timeout_s=90) == 0
        stopped_s = time.time() - since
        more.wait(SECONDS + 120)
        weir.wait_for_end(heir, timeout_s=600)
        moved = takeover(heir, since, [0, 1])
        assert moved["restored"] == [0, 1], heir.output()[-4000:]
        assert moved["from"] == ["local" if standbys else "changelog"], heir.output()[-4000:]
        pause = pauses(traffic.cluster, weir.topology, [0, 1], since * 1000 - 2000)
        assert heir.stop(timeout_s=90) == 0
        state = size_of(folder / f"state-{weir.topology.name}-1")
    except BaseException:
        print(heir.output()[-6000:])
        raise
    finally:
        for each in processes:
            each.kill()
        for number in range(2):
            shutil.rmtree(folder / f"state-{weir.topology.name}-{number}", ignore_errors=True)
    result = {"standbys": standbys, "how": "kill -9" if killed else "SIGTERM",
            "file_cache_dropped": cold, "stopping_took_s": round(stopped_s, 2),
            "load_average": round(os.getloadavg()[0], 1), "changelogs_loaded_by_standby": len(caught_up), "local_state_bytes": state,
            "silent_ms": pause, **moved}
    print(result, flush=True)
    return result


def test_moves_of_a_million_customers(cluster, weir, tmp_path, evidence):
    traffic = Traffic(weir, cluster, tmp_path, "moves", OPTIONS)
    topic = traffic.processor("input").topology.profiles
    customers = len({message.key() for message in cluster.each_message(topic, timeout_s=600)})
    runs = [run(traffic, tmp_path, name, standbys, killed) for name, standbys, killed in
            (("stopped", 1, False), ("bare", 0, True), ("killed", 1, True))]
    evidence("standby", customers=customers, events=EVENTS, generated_with=OPTIONS,
             partitions=PARTITIONS, processes=2, workers_each=1, rate_during_the_move=RATE,
             session_timeout_s=6, heartbeat_ms=500, runs=runs)
