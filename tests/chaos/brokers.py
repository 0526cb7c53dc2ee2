"""What is done to the brokers and the network between."""

import random
import time

from campaign import Campaign
from cluster import free_ports
from weather import Weather
from world import BROKER_SETTINGS

# Between two disturbances: so many kills, and so long.
CALM_KILLS = (20, 60)
CALM_S = 8


class Disturbed(Campaign):
    """Every now and then something is done to what the pods stand on. Runs in the thread that owns
    the brokers; those that are away come back before it returns."""

    def __init__(self, *arguments, seed, **options):
        super().__init__(*arguments, **options)
        self.random = random.Random(f"{seed}/brokers")
        self.plan()

    def plan(self):
        self.next_s = time.monotonic() + CALM_S
        self.next_kills = self.kills_now() + self.random.randrange(*CALM_KILLS)

    def kills_now(self):
        return self.kills() + (self.now.kills() if self.now else 0)

    def disturb(self, a_round):
        if (time.monotonic() < self.next_s or self.kills_now() < self.next_kills
                or a_round.is_over()):
            return
        self.broker_faults[self.trouble()] += 1
        self.plan()

    def trouble(self):
        """Makes some and returns what it is called."""
        raise NotImplementedError


def restart_the_only_one(broker, chance, outages):
    """Returns what was done to it."""
    by_kill = chance.random() < 0.7
    with outages:
        broker.kill() if by_kill else broker.stop()
        time.sleep(chance.random() * 3)
        broker.start()
    return "the broker: kill -9" if by_kill else "the broker: SIGTERM"


class OneBroker(Disturbed):
    def trouble(self):
        return restart_the_only_one(self.cluster.kafka, self.random, self.outages)


class ThreeBrokers(Disturbed):
    """Leaders and coordinators move. Nothing is away, so nobody may end because of it."""

    def trouble(self):
        broker, by_kill = self.random.choice(self.cluster.brokers), self.random.random() < 0.5
        broker.kill() if by_kill else broker.stop()
        time.sleep(self.random.random() * 12)  # the controller notices a killed one after nine
        broker.start()
        return "a broker of three: kill -9" if by_kill else "a broker of three: SIGTERM"


class BadNetwork(Disturbed):
    """The pods reach the broker through a proxy that has moods."""

    def __init__(self, *arguments, weather, **options):
        super().__init__(*arguments, **options)
        self.weather = weather

    def bootstrap_of(self, a_round):
        return f"127.0.0.1:{self.weather.port}"

    def trouble(self):
        mood = self.random.choice(list(Weather.MOODS))
        if mood == "away":
            with self.outages:
                self.weather.be(mood)
                time.sleep(self.random.uniform(0.5, 5))
        else:
            self.weather.be(mood)
            time.sleep(self.random.uniform(1, 6))
        self.weather.be("calm")
        return f"network: {Weather.MOODS[mood]}"


def settings_behind(proxy_port, direct_port, proxied_port, controller_port):
    """Clients that come through the proxy must be told its address, not the broker's."""
    return {
        **BROKER_SETTINGS,
        "listeners": f"PLAINTEXT://127.0.0.1:{direct_port},PROXIED://127.0.0.1:{proxied_port},"
                     f"CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{direct_port},"
                                f"PROXIED://127.0.0.1:{proxy_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,"
                                          "CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
    }


def behind_weather(random_seed):
    """(settings of a cluster, its direct port, the weather in front of it)."""
    proxy, direct, proxied, controller = free_ports(4)
    return (settings_behind(proxy, direct, proxied, controller), direct,
            Weather(proxy, proxied, random_seed))
