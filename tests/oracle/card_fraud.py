"""topologies/card-fraud-local.yaml, said again in Python.

A rule has `holds(look)`: true, or not (false and unknown are the same to an alert); and, for its
alert, `operands`, `message` and `counted`: the events that each of its look-backs took.
"""

import math
from fractions import Fraction

from oracle import text
from oracle.inputs import DAY, HOUR, MINUTE

EARTH_RADIUS_KM = 6371.0088
REMEMBERED = 30 * DAY


class Uncertain(Exception):
    """Too close to a limit for a distance that is computed with another library of functions."""


def distance_km(lat1, lon1, lat2, lon2):
    """Great circle, haversine; None outside the globe."""
    if not all(-90 <= lat <= 90 for lat in (lat1, lat2)):
        return None
    if not all(-360 <= lon <= 360 for lon in (lon1, lon2)):
        return None
    a, b = math.radians(lat1), math.radians(lat2)
    h = (math.sin(math.radians(lat2 - lat1) / 2) ** 2
         + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2)
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(h, 1.0)))


class Rule:
    name = "?"
    severity = "?"
    looks_back = False
    repeat = None  # or the least time between two alerts about one user
    version = 1

    def holds(self, look):
        raise NotImplementedError

    def operands(self, look):
        """(operand, value, comparison, limit) as texts; None is null."""
        raise NotImplementedError

    def message(self, look):
        return self.name

    def counted(self, look):
        """Per look-back of the condition: the events that it took."""
        return []


class Velocity(Rule):
    name, severity, looks_back, repeat = "velocity", "high", True, 10 * MINUTE
    span, limit = MINUTE, 5

    def holds(self, look):
        return look.count(self.span) > self.limit

    def operands(self, look):
        return [("tx_1m", str(look.count(self.span)), ">", str(self.limit))]

    def message(self, look):
        spent = sum(event.cents for event in look.over(MINUTE))
        return f"{look.count(self.span)} payments in one minute, {text.cents(spent)} in all"

    def counted(self, look):
        return [look.over(self.span)]


class SlowBurn(Rule):
    name, severity, looks_back = "slow_burn", "critical", True

    def payments(self, look):
        return [event for event in look.over(6 * HOUR) if event.card == look.event.card]

    def countries(self, look):
        return len({event.country for event in self.payments(look)})

    def holds(self, look):
        return (look.count(6 * HOUR) >= 5 and len(self.payments(look)) >= 5
                and self.countries(look) >= 3)

    def operands(self, look):
        return [("card_countries", str(self.countries(look)), ">=", "3"),
                ("card_tx_6h", str(len(self.payments(look))), ">=", "5")]

    def message(self, look):
        return (f"{self.countries(look)} countries in six hours,"
                f" {len(self.payments(look))} payments")

    def counted(self, look):
        return [self.payments(look)]


class Travel(Rule):
    name, severity, looks_back = "travel", "high", True

    def sources(self, look):
        return (look.previous(lambda event: True, REMEMBERED),
                look.previous(lambda event: event.lat is not None, REMEMBERED),
                look.previous(lambda event: event.lon is not None, REMEMBERED))

    def values(self, look):
        """km, and what it is compared with; None where either is unknown."""
        event = look.event
        before, lat, lon = self.sources(look)
        if None in (before, lat, lon, event.lat, event.lon):
            return None, None
        gap = event.time - before.time
        return distance_km(event.lat, event.lon, lat.lat, lon.lon), 900 * (gap / 3600e6)

    def holds(self, look):
        if look.position == 0 or look.event.lat is None:
            return False
        km, limit = self.values(look)
        if km is None:
            return False
        if abs(km - 50) < 1e-6 or (km > 50 and abs(km - limit) < 1e-6 * km):
            raise Uncertain(f"{km} km, limit {limit} at {look.event.id}")
        return km > 50 and km > limit

    def operands(self, look):
        km, limit = self.values(look)
        return [("km", text.double(km), ">", "50"),
                ("km", text.double(km), ">", text.double(limit))]

    def counted(self, look):
        return [[event] for event in self.sources(look)]


class HighAmount(Rule):
    name, severity = "high_amount", "medium"
    limit = 3000

    def holds(self, look):
        return look.event.cents > self.limit * 100

    def operands(self, look):
        return [("amount", text.cents(look.event.cents), ">", str(self.limit))]


class UnusualAmount(Rule):
    name, severity, looks_back = "unusual_amount", "medium", True

    def usual(self, look):
        before = look.over_previous(30 * DAY)
        if not before:
            return None
        return text.quotient(sum(event.cents for event in before), 100 * len(before))

    def holds(self, look):
        if look.event.cents <= 20000:
            return False
        usual = self.usual(look)
        # Python compares an integer and a double exactly, but not after a division.
        return usual is not None and look.event.cents > Fraction(10 * usual) * 100

    def operands(self, look):
        amount = text.cents(look.event.cents)
        return [("amount", amount, ">", text.double(10 * self.usual(look))),
                ("amount", amount, ">", "200")]

    def counted(self, look):
        return [look.over_previous(30 * DAY)]


class NewDevice(Rule):
    name, severity, looks_back = "new_device", "low", True

    def seen(self, look):
        return [event for event in look.over_previous(30 * DAY)
                if event.device == look.event.device]

    def holds(self, look):
        return look.event.cents > 50000 and not self.seen(look)

    def operands(self, look):
        return [("device_seen", str(len(self.seen(look))), "==", "0"),
                ("amount", text.cents(look.event.cents), ">", "500")]

    def counted(self, look):
        return [self.seen(look)]


class LocationMismatch(Rule):
    name, severity = "location_mismatch", "medium"

    def holds(self, look):
        event = look.event
        return event.home is not None and event.country != event.home and event.cents > 100000

    def operands(self, look):
        return [("country", look.event.country, "!=", look.event.home),
                ("amount", text.cents(look.event.cents), ">", "1000")]


class BlockedMerchant(Rule):
    name, severity = "blocked_merchant", "high"

    def __init__(self, table):
        self.table = table

    def holds(self, look):
        return look.event.merchant in self.table

    def operands(self, look):
        return [("merchant_id", look.event.merchant, "in", "blocked_merchants")]


def rules(blocked):
    """In the order of the file, which is the order of the alerts about one event."""
    return [Velocity(), SlowBurn(), Travel(), HighAmount(), UnusualAmount(), NewDevice(),
            LocationMismatch(), BlockedMerchant(blocked)]
