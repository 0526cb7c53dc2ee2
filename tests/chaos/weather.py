"""A TCP proxy with moods, between all clients and a broker."""

import random
import socket
import threading
import time

from proxy import shut

CHUNK = 1 << 16


class Weather:
    """Listens on `port` for the broker at `target_port`. What it does now is its mood: a name of
    MOODS. Every connection has a random of its own, from the seed and its number."""

    MOODS = {
        "calm": "nothing",
        "slow": "every answer and request up to 150 ms later",
        "late": "some connections stand still while others go on: requests overtake each other",
        "sliced": "a few bytes at a time",
        "cutting": "connections are cut, some in the middle of a message",
        "mute": "answers do not come through, then the connection is cut",
        "away": "every connection is cut and refused",
    }

    def __init__(self, port, target_port, seed):
        self.port, self.target_port, self.seed = port, target_port, seed
        self.mood = "calm"
        self.count = 0
        self.open = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shut(self.listener)
        self.listener.close()
        self.cut_all()

    def be(self, mood):
        assert mood in self.MOODS
        self.mood = mood
        if mood == "away":
            self.cut_all()

    def cut_all(self):
        with self.lock:
            connections = list(self.open)
        for pair in connections:
            shut(*pair)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.connect, args=(client, self.count), daemon=True).start()

    def connect(self, client, number):
        if self.mood == "away":
            client.close()
            return
        try:
            broker = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        pair = (client, broker)
        with self.lock:
            self.open.add(pair)
        for each in pair:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self.pass_on, daemon=True,
                                args=(broker, client, random.Random(f"{self.seed}/{number}/b"), True))
        back.start()
        self.pass_on(client, broker, random.Random(f"{self.seed}/{number}/a"), False)
        back.join()
        with self.lock:
            self.open.discard(pair)
        client.close()
        broker.close()

    def pass_on(self, source, target, chance, is_answer):
        try:
            while True:
                data = source.recv(CHUNK)
                if not data:
                    break
                self.deliver(target, data, chance, is_answer)
        except OSError:
            pass
        finally:
            shut(source, target)

    def deliver(self, target, data, chance, is_answer):
        mood = self.mood
        if mood == "slow":
            time.sleep(chance.random() * 0.15)
        elif mood == "late" and chance.random() < 0.3:
            time.sleep(chance.random() * 1.5)
        elif mood == "cutting" and chance.random() < 0.1:
            target.sendall(data[:chance.randrange(len(data) + 1)])
            raise ConnectionError("cut")
        elif mood == "mute" and is_answer and chance.random() < 0.1:
            time.sleep(chance.random())
            raise ConnectionError("cut")
        elif mood == "sliced":
            while len(data) > 8 and self.mood == "sliced":
                size = chance.randrange(1, 8)
                target.sendall(data[:size])
                data = data[size:]
                time.sleep(0.0005)
        target.sendall(data)
