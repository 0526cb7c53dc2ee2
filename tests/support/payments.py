"""Payments by hand, for tests that say themselves what is written and how: unlike `weir generate`,
this shares nothing with the program under test."""

import random

START_MS = 1_769_860_800_000  # 2026-01-31T12:00:00Z
PLACES = {"DE": (52.5, 13.4), "FR": (48.9, 2.4), "US": (40.7, -74.0), "JP": (35.7, 139.7)}
COUNTRIES = list(PLACES)


class Payments:
    """Users with a card, a device and a home; every so often one of them does what a rule watches
    for. Endless; the same seed gives the same payments."""

    def __init__(self, seed, users=40, start_ms=START_MS):
        self.random = random.Random(seed)
        self.users = [f"user-{i:03d}" for i in range(users)]
        self.now_ms = start_ms
        self.start_ms = start_ms
        self.count = 0
        self.planned = []

    def home(self, user):
        return COUNTRIES[int(user[-3:]) % len(COUNTRIES)]

    def profiles(self):
        return [{"user_id": user, "country": self.home(user), "updated_at": self.start_ms - 1000}
                for user in self.users]

    def payment(self, user, **changes):
        country = changes.get("country", self.home(user))
        lat, lon = PLACES[country]
        self.count += 1
        return {"tx_id": f"tx-{self.count:06d}", "user_id": user, "card_id": f"card-{user}",
                "merchant_id": f"shop-{self.random.randrange(30)}", "device_id": f"phone-{user}",
                "country": country, "amount_cents": self.random.randrange(100, 9000),
                "event_time": self.now_ms, "lat": lat, "lon": lon, **changes}

    def trouble(self, user):
        """Some payments that a rule should not like."""
        kind = self.random.randrange(6)
        if kind == 0:
            return [self.payment(user, event_time=self.now_ms + 4000 * i) for i in range(7)]
        if kind == 1:
            return [self.payment(user, amount_cents=self.random.randrange(300_100, 900_000))]
        if kind == 2:
            return [self.payment(user, device_id=f"new-{self.count}", amount_cents=60_000)]
        if kind == 3:
            return [self.payment(user, country=country, amount_cents=500,
                                 event_time=self.now_ms + 60_000 * i)
                    for i, country in enumerate(COUNTRIES + COUNTRIES)]
        if kind == 4:
            return [self.payment(user, merchant_id="blocked")]
        return [self.payment(user, device_id=None, lat=None, lon=None),
                self.payment(user, country=self.random.choice(COUNTRIES), amount_cents=150_000)]

    def __iter__(self):
        return self

    def __next__(self):
        """In the order in which they arrive, a few of them late. `arrived_ms` is the time now."""
        self.now_ms += self.random.randrange(200, 4000)
        if self.random.random() < 0.02:
            self.planned += self.trouble(self.random.choice(self.users))
        self.planned.sort(key=lambda payment: payment["event_time"])
        if self.planned and self.planned[0]["event_time"] <= self.now_ms:
            return self.planned.pop(0)
        user = self.random.choice(self.users)
        if self.random.random() < 0.05:
            return self.payment(user, event_time=self.now_ms - self.random.randrange(600_000))
        return self.payment(user)

    def take(self, count):
        return [next(self) for _ in range(count)]


def write_tables(cluster, topology, payments, schema):
    """The profiles, by their schema, and one blocked merchant."""
    from cluster import encode_avro

    schema_id = cluster.registry.register(f"{topology.profiles}-value", schema)
    cluster.produce(topology.profiles, (
        {"key": row["user_id"], "value": encode_avro(schema_id, schema, row),
         "timestamp": row["updated_at"]} for row in payments.profiles()))
    cluster.produce(topology.blocked, [
        {"key": "blocked", "value": '{"merchant_id": "blocked", "reason": "a test"}'}])
