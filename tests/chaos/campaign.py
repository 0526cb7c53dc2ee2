"""Rounds of faults. A round has topics and a load of its own; each of its pods has a thread that
does one fault after the other to it, chosen from the seed. At the end everything runs undisturbed
until the input is done, and the oracle judges it."""

import pathlib
import random
import shutil
import threading
import time
import traceback
from collections import Counter, deque

import coordinator
from cluster import wait_until
from faults import FAULTS, goes_on, kill_at_point
from world import LOOK_S, Load, Outages, Pod, Stuck

KEPT = pathlib.Path(__file__).resolve().parents[2] / "build/results/chaos"
DRAIN_S = 300
LOG_TAIL = 20_000
LAST_PAYMENTS = 2000
# `lost` is missed when another process's rebalance is under way while this one is frozen: its
# partitions are then revoked, not lost. Three of eight tries were, while others joined and left.
TRIES_MAX = 20


class Finding(dict):
    """What went wrong, with what is needed to see it again."""


class Victim(threading.Thread):
    """One pod and its bad luck."""

    def __init__(self, a_round, number, seed):
        super().__init__(name=f"victim-{number}")
        self.a_round = a_round
        self.random = random.Random(f"{seed}/{number}")
        self.pod = a_round.pod(number)
        self.counts = Counter()
        self.kills = 0

    def choose(self):
        """A name and what to do; first what the round must do, then what chance says."""
        try:
            point, tries = self.a_round.script.popleft()
        except IndexError:
            name = self.by_chance()
            return name, self.a_round.faults[name][1]
        return "kill -9 at a kill point", lambda pod, chance: self.kill_at(pod, chance, point, tries)

    def kill_at(self, pod, chance, point, tries):
        """At its first time; a rebalance of others may have been in the way, so it is tried again."""
        killed = kill_at_point(pod, chance, point, 1)
        if not pod.reached[point]:
            if tries == TRIES_MAX:
                raise Stuck(f"{point} was not reached in {tries} tries")
            self.a_round.script.append((point, tries + 1))
        return killed

    def by_chance(self):
        names = list(self.a_round.faults)
        return self.random.choices(names, [self.a_round.faults[name][0] for name in names])[0]

    def run(self):
        try:
            self.attempt("start", lambda pod, _: goes_on(pod.start()) or 0)
            while not self.a_round.is_over():
                self.attempt(*self.choose())
        finally:
            # Children of this thread die with it (PR_SET_PDEATHSIG).
            self.kills += self.pod.kill()

    def attempt(self, name, fault):
        self.counts[name] += 1
        try:
            self.kills += fault(self.pod, self.random)
        except Stuck as stuck:
            self.a_round.found(self, name, str(stuck))
            self.pod.kill()
            self.pod.start()
        except Exception:  # the harness itself: the round is worth nothing
            self.a_round.found(self, name, traceback.format_exc())
            self.a_round.over.set()


class Round:
    def __init__(self, campaign, number, seed, kills, seconds):
        self.campaign, self.number, self.seed = campaign, number, seed
        self.random = random.Random(f"{seed}/round")
        self.folder = campaign.folder / f"round-{number}"
        self.folder.mkdir()
        self.faults = campaign.faults
        self.kills_wanted = kills
        self.deadline = time.monotonic() + seconds
        self.over = threading.Event()
        self.findings, self.victims = [], []
        self.suspicions = []  # findings, unless the coordinator has lost offsets
        self.script = deque((point, 1) for point in campaign.script)
        self.load = Load(campaign.program, campaign.cluster, self.folder, f"{campaign.name}{number}",
                         campaign.events, self.random.randrange(1 << 30), campaign.rate)

    def pod(self, number):
        return Pod(self.load, number, self.folder, self.campaign.bootstrap_of(self),
                   self.campaign.outages)

    def kills(self):
        return sum(victim.kills for victim in self.victims)

    def is_over(self):
        if self.over.is_set() or time.monotonic() > self.deadline:
            return True
        return not self.script and self.kills() >= self.kills_wanted

    def found(self, victim, fault, text):
        finding = Finding(
            round=self.number, seed=self.seed, pod=victim.pod.name, fault=fault, what=text,
            at=time.strftime("%T", time.gmtime()), log=victim.pod.log()[-LOG_TAIL:])
        if coordinator.is_suspected(finding["log"]):
            self.suspicions.append(finding)
            self.over.set()  # nobody goes on before the offsets are back
            return
        self.findings.append(finding)
        print(f"FINDING round {self.number} pod {victim.pod.name} in '{fault}': {text}", flush=True)

    def run(self):
        started = time.monotonic()
        self.victims = [Victim(self, number, self.seed) for number in range(self.campaign.pods)]
        self.load.start(len(self.load.payments) - LAST_PAYMENTS)
        for victim in self.victims:
            victim.start()
        while any(victim.is_alive() for victim in self.victims):
            self.campaign.disturb(self)
            if self.load.left() == LAST_PAYMENTS:
                self.over.set()  # without a load nothing goes on
            time.sleep(LOOK_S)
        chaos_s = time.monotonic() - started
        self.load.stop()
        judged = self.heal_and_judge()
        return {"round": self.number, "seed": self.seed, "kills": self.kills(),
                "seconds_of_chaos": round(chaos_s, 1), "seconds": round(time.monotonic() - started, 1),
                **judged}

    def put_offsets_back(self):
        """What the message says to do, when the broker is to blame; else it was a finding."""
        if coordinator.has_lost_offsets(self.load.weir):
            coordinator.put_offsets_back(self.load.weir)
            self.campaign.offsets_put_back += 1
            return
        self.findings += self.suspicions
        for finding in self.suspicions:
            print(f"FINDING round {self.number} pod {finding['pod']} in '{finding['fault']}': "
                  f"{finding['what']}", flush=True)

    def heal_and_judge(self):
        """Everything runs, half of the rounds on empty directories: what the topics hold must be
        enough. Then some more of the input, and the oracle."""
        pods = [victim.pod for victim in self.victims]
        without_state = self.random.random() < 0.5
        try:
            if self.suspicions:
                self.put_offsets_back()
            for pod in pods:
                if without_state:
                    pod.lose_state()
                pod.start()
            self.load.start(LAST_PAYMENTS)
            self.load.thread.join()
            wait_until(lambda: self.drained(pods), DRAIN_S, "the end of the input")
            codes = [pod.process.stop() for pod in pods]
            if any(codes):
                raise Stuck(f"ended with {codes} after SIGTERM")
            return {"last_start": "without state" if without_state else "with state",
                    **self.load.judge()}
        except (Stuck, TimeoutError, AssertionError) as error:
            text = f"{type(error).__name__}: {error}"
            self.findings.append(Finding(
                round=self.number, seed=self.seed, fault="the end", what=text,
                at=time.strftime("%T", time.gmtime()), log="\n".join(pod.log()[-LOG_TAIL:] for pod in pods)))
            print(f"FINDING round {self.number}: {text}", flush=True)
            self.campaign.keep_brokers_topics(f"{self.load.topology.name}")
            return {"judged": False}
        finally:
            self.load.stop()
            for pod in pods:
                pod.kill()

    def drained(self, pods):
        for pod in pods:
            if not pod.process.running():
                raise pod.ended("before the end of the input")
        return self.load.weir.lag() == 0


class Campaign:
    """`disturb(round)` is called all the time, by the thread that owns the brokers."""

    def __init__(self, program, cluster, folder, name="chaos", pods=3, events=60_000, rate=400,
                 faults=None, script=()):
        self.program, self.cluster, self.folder, self.name = program, cluster, pathlib.Path(folder), name
        self.pods, self.events, self.rate = pods, events, rate
        self.faults = faults or FAULTS
        self.script = script
        self.outages = Outages()
        self.rounds, self.findings = [], []
        self.counts, self.reached, self.failed, self.stopped = Counter(), Counter(), Counter(), Counter()
        self.ended_after_freeze = self.ended_in_outage = self.ended_by_client = 0
        self.offsets_put_back = 0
        self.now = None  # the round that runs
        self.broker_faults = Counter()

    def bootstrap_of(self, a_round):
        """Where a round's pods find the brokers, if not where the load does."""
        del a_round

    def disturb(self, a_round):
        """Nothing, here."""

    def kills(self):
        return sum(each["kills"] for each in self.rounds)

    def run_round(self, seed, kills, seconds):
        number = len(self.rounds) + 1
        a_round = Round(self, number, seed, kills, seconds)
        self.now = a_round
        done = a_round.run()
        self.now = None
        self.rounds.append(done)
        self.findings += a_round.findings
        for victim in a_round.victims:
            self.counts += victim.counts
            self.reached += victim.pod.reached
            self.failed += victim.pod.failed
            self.stopped += victim.pod.stopped
            self.ended_after_freeze += victim.pod.ended_after_freeze
            self.ended_in_outage += victim.pod.ended_in_outage
            self.ended_by_client += victim.pod.ended_by_client
        print(self.rounds[-1], flush=True)
        if not a_round.findings:
            shutil.rmtree(a_round.folder, ignore_errors=True)
        self.delete_topics(a_round.load.topology.name)
        return a_round

    def keep_brokers_topics(self, name):
        """The logs of the coordinators tell what a transaction has become."""
        for broker in self.cluster.brokers:
            kept = KEPT / f"{name}-{broker.folder.name}"
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(broker.process.log, kept)
            for topic in (broker.folder / "data").glob("__*"):
                shutil.copytree(topic, kept / topic.name, dirs_exist_ok=True)

    def delete_topics(self, prefix):
        for topic in self.cluster.topics():
            if topic.startswith(f"{prefix}-"):
                self.cluster.delete_topic(topic)

    def figures(self):
        seconds = sum(each["seconds_of_chaos"] for each in self.rounds)
        return {
            "kills": self.kills(),
            "kills_per_minute": round(60 * self.kills() / seconds, 1) if seconds else 0,
            "minutes_of_chaos": round(seconds / 60, 1),
            "findings": len(self.findings),
            "lost": 0 if not self.findings else None, "duplicated": 0 if not self.findings else None,
            "faults": dict(self.counts), "broker_faults": dict(self.broker_faults),
            "killed_at": dict(self.reached), "failed_at": dict(self.failed),
            "frozen_at": dict(self.stopped), "ended_after_a_freeze": self.ended_after_freeze,
            "ended_while_brokers_were_away": self.ended_in_outage, "ended_by_an_assertion_of_the_client": self.ended_by_client,
            "coordinator_lost_offsets": self.offsets_put_back,
            "records": sum(each.get("records", 0) for each in self.rounds),
            "alerts": sum(each.get("alerts", 0) for each in self.rounds),
            "dead_letters": sum(each.get("dead_letters", 0) for each in self.rounds),
            "rounds": self.rounds,
        }
