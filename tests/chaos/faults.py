"""What is done to a process. Each fault is a function of (pod, random) that leaves it running and,
when it comes back, moving; it returns how many processes it killed. A process that ends by itself
where it should go on, or does not go on, is Stuck: a finding.

FAULTS has, for each: how often it is chosen, and what a user sees (docs/reliability.md)."""

import signal
import time

import kill_points
from kill_points import RARE
from world import LOOK_S, SESSION_S, TRANSACTION_S, Guest, Stuck

PROGRESS_S = 150
REACH_S = 20
TERM_S = 120
FREEZE_S = max(SESSION_S, TRANSACTION_S) + 1.5
GUEST, OTHER_NAME = 100, 200  # numbers of pods; those who come back as somebody else count on


# ---- one kill ----


def goes_on(pod):
    pod.wait_for_progress(PROGRESS_S)


def kill(pod, random):
    """At any time after it was seen to go on."""
    time.sleep(random.random() ** 2 * 0.5)
    pod.kill()
    pod.start()
    goes_on(pod)
    return 1


def kill_while_it_starts(pod, random):
    """And again before it is ready."""
    pod.kill()
    pod.start()
    time.sleep(random.random() * 0.8)
    pod.kill()
    pod.start()
    goes_on(pod)
    return 2


def kill_and_lose_state(pod, random):
    del random
    pod.kill()
    pod.lose_state()
    pod.start()
    goes_on(pod)
    return 1


# ---- at a kill point ----


def goes_on_or_is_there(pod):
    """What others do may bring it to the point sooner."""
    try:
        goes_on(pod)
    except Stuck:
        if pod.process.running() or not pod.killed_itself():
            raise


def bring_to(pod, point):
    """Makes happen what leads to the point; the process runs already."""
    if point in kill_points.ON_SIGTERM:
        goes_on_or_is_there(pod)
        pod.process.popen.terminate()
    elif point in kill_points.AFTER_A_FREEZE:
        goes_on_or_is_there(pod)
        freeze(pod)
    elif point in kill_points.AFTER_A_FROZEN_TRANSACTION:
        if not pod.wait_for_death(REACH_S, or_stop=True):
            return
        time.sleep(FREEZE_S)
        pod.process.resume()
    elif point in kill_points.IN_A_REBALANCE:
        goes_on_or_is_there(pod)
        guest = Guest(pod, GUEST + pod.number)
        guest.pod.start()
        pod.wait_for_death(REACH_S)
        guest.pod.kill()


def die_at(pod, point, nth):
    """True when it came to the point and died there. It does not run then, or runs untouched."""
    settings = {}
    plan = f"{point}:kill:{nth}"
    if point in kill_points.WITHOUT_STATE:
        pod.lose_state()
    if point in kill_points.UNDER_ANOTHER_NAME:
        pod.renamed = getattr(pod, "renamed", 0) + 1
        settings["WEIR_ORDINAL"] = f"{OTHER_NAME + 10 * pod.renamed + pod.number:05d}"
    if point in kill_points.AFTER_A_FROZEN_TRANSACTION:
        plan = f"flushed:stop:3,{plan}"
    pod.start(plan, **settings)
    bring_to(pod, point)
    died = pod.wait_for_death(REACH_S)
    if died and not pod.killed_itself():
        if not pod.outages.any_since(pod.started_at):
            raise pod.ended(f"on the way to {point}")
        return False
    return died


def kill_at_point(pod, random, point=None, nth=None):
    point = point or random.choice(kill_points.NAMES)
    nth = nth or int(random.uniform(1, kill_points.OFTEN.get(point, RARE) + 1) ** random.random())
    pod.kill()
    died = die_at(pod, point, max(nth, 1))
    if died:
        pod.reached[point] += 1
    pod.kill()
    pod.start()
    goes_on(pod)
    return 1 + 1  # the one before, and the one at the point


def fail_at_point(pod, random, point=None):
    """An I/O error: it ends with a sentence, and a new process goes on; or it mends itself."""
    point = point or random.choice(kill_points.FALLIBLE)
    pod.kill()
    if point in kill_points.WITHOUT_STATE:
        pod.lose_state()
    pod.start(f"{point}:fail:1")
    if pod.wait_for_death(REACH_S / 2):
        code, output = pod.process.popen.returncode, pod.process.output()
        if pod.outages.any_since(pod.started_at):
            pass  # it may have ended because of that
        elif code <= 0 or f"kill point {point}" not in output.replace(f"kill point {point}: fail", ""):
            raise pod.ended(f"after an I/O error at {point}, without saying so")
    else:
        goes_on(pod)
    pod.failed[point] += pod.said(f"kill point {point}: fail")
    pod.kill()
    pod.start()
    goes_on(pod)
    return 1


# ---- freezing ----


def freeze(pod):
    pod.process.pause()
    time.sleep(FREEZE_S)
    pod.process.resume()


def comes_back(pod):
    """It lost its partitions meanwhile, or its place: it goes on, or ends with a sentence and a new
    one goes on. Both are exact; only silence is wrong."""
    try:
        goes_on(pod)
    except Stuck:
        if pod.process.running():
            raise
        if pod.process.popen.returncode <= 0:
            raise
        pod.ended_after_freeze += 1
        pod.start()
        goes_on(pod)


def freeze_anywhere(pod, random):
    time.sleep(random.random() * 0.3)
    freeze(pod)
    comes_back(pod)
    return 0


def freeze_at_point(pod, random, point=None):
    point = point or random.choice([name for name in kill_points.NAMES
                                    if name not in kill_points.ON_SIGTERM])
    pod.kill()
    if point in kill_points.WITHOUT_STATE:
        pod.lose_state()
    pod.start(f"{point}:stop:1")
    if pod.wait_for_death(REACH_S / 4, or_stop=True) and pod.is_stopped():
        pod.stopped[point] += 1
        time.sleep(FREEZE_S)
        pod.process.resume()
    comes_back(pod)
    return 1


# ---- politely, and others who come and go ----


def terminate(pod, random):
    del random
    code = pod.process.stop(TERM_S)
    # The signal may come before the program does anything, its first words included: then it just ends.
    had_begun = code != -signal.SIGTERM or pod.process.output()
    if code != 0 and had_begun and not pod.outages.any_since(pod.started_at):
        raise pod.ended("after SIGTERM")
    pod.start()
    goes_on(pod)
    return 0


def guests(pod, random):
    """A rebalance storm: others come and go, by SIGTERM or by kill -9, while this one works."""
    killed = 0
    guest = Guest(pod, GUEST + pod.number)
    for _ in range(random.randrange(1, 4)):
        by_kill = random.random() < 0.5
        guest.visit(PROGRESS_S, random.random(), "kill" if by_kill else "stop")
        killed += by_kill
    goes_on(pod)
    return killed


def twin(pod, random):
    """A second process under the same name on another directory: the older gives up."""
    del random
    older = pod.process
    second = pod.another(pod.number, pod.folder / "twin")
    second.lose_state()
    second.start()
    try:
        second.wait_for_progress(PROGRESS_S)
        if not pod.wait_for_death(PROGRESS_S):
            raise Stuck("two processes of one name go on side by side")
        if older.popen.returncode <= 0 and not pod.ended_by_assertion():
            raise pod.ended("as the older of two processes of one name")
    finally:
        second.kill()
        pod.ended_by_client += second.ended_by_client
    pod.start()
    goes_on(pod)
    return 1


FAULTS = {
    "kill -9": (30, kill),
    "kill -9 while it starts": (10, kill_while_it_starts),
    "kill -9, state lost": (6, kill_and_lose_state),
    "kill -9 at a kill point": (40, kill_at_point),
    "I/O error at a kill point": (3, fail_at_point),
    "SIGSTOP past the time-outs": (1, freeze_anywhere),
    "SIGSTOP at a kill point": (2, freeze_at_point),
    "SIGTERM": (4, terminate),
    "rebalance storm": (1, guests),
    "two processes of one name": (1, twin),
}
assert LOOK_S < SESSION_S
