"""The events of one user, and what an event sees when it looks back.

Events are in order of time, those of one time in order of arrival. An event at time t sees, over a
span, those after t - span up to itself, and no later one of the same time.
"""

from bisect import bisect_right


class User:
    """Everything a user did, and what the rules remember of him."""

    def __init__(self):
        self.times = []
        self.events = []
        self.last_alert = {}  # rule -> time of the newest event that it alerted on

    def place_of(self, time):
        return bisect_right(self.times, time)

    def insert(self, event):
        position = self.place_of(event.time)
        self.times.insert(position, event.time)
        self.events.insert(position, event)
        return position


class Look:
    """What the event at `position` sees."""

    __slots__ = ("user", "position", "event")

    def __init__(self, user, position):
        self.user = user
        self.position = position
        self.event = user.events[position]

    def count(self, span):
        """How many events there are over the span."""
        return self.position + 1 - bisect_right(self.user.times, self.event.time - span, 0,
                                                self.position + 1)

    def over(self, span):
        """The events over the span, the event itself included, oldest first."""
        first = bisect_right(self.user.times, self.event.time - span, 0, self.position + 1)
        return self.user.events[first:self.position + 1]

    def over_previous(self, span):
        """The same without the event itself."""
        first = bisect_right(self.user.times, self.event.time - span, 0, self.position)
        return self.user.events[first:self.position]

    def previous(self, has, span):
        """The newest event before this one that `has` a value, within the span; or None."""
        for event in reversed(self.over_previous(span)):
            if has(event):
                return event
        return None
