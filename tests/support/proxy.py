"""A TCP proxy between a Kafka client and its broker that spoils one request of a chosen kind."""

import socket
import struct
import threading
import time

END_TXN = 26


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def read_frame(sock):
    size = read_exactly(sock, 4)
    return size + read_exactly(sock, struct.unpack(">i", size)[0])


def shut(*socks):
    for each in socks:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Proxy:
    """Listens on `port` for the broker at `target_port`. The first request with `api_key`, or with
    `every` one in so many of them, is

    lose_response  answered, but the connection is cut before the answer gets through
    delay          kept back, the connection is cut, and the request delivered `delay_s` later
    """

    def __init__(self, port, target_port, api_key, fault, delay_s=0.8, every=None):
        self.target_port, self.api_key, self.fault, self.delay_s = target_port, api_key, fault, delay_s
        self.every = every
        self.seen = 0
        self.lock = threading.Lock()
        self.spoilt = 0
        self.delivered_late = 0
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shut(self.listener)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.target_port))
            for each in (client, broker):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.requests, args=(client, broker), daemon=True).start()
            threading.Thread(target=self.answers, args=(client, broker), daemon=True).start()

    def take_fault(self, frame):
        with self.lock:
            if struct.unpack(">h", frame[4:6])[0] != self.api_key:
                return False
            self.seen += 1
            if self.spoilt and (self.every is None or self.seen % self.every != 0):
                return False
            self.spoilt += 1
            return True

    def requests(self, client, broker):
        try:
            while True:
                frame = read_frame(client)
                if not self.take_fault(frame):
                    broker.sendall(frame)
                    continue
                shut(client)  # before the broker gets it: no answer can slip through
                if self.fault == "delay":
                    time.sleep(self.delay_s)
                    self.delivered_late += 1
                broker.sendall(frame)
                time.sleep(1)  # the broker drops a request whose sender is gone
                return
        except (OSError, ConnectionError):
            pass
        finally:
            shut(client, broker)

    def answers(self, client, broker):
        try:
            while True:
                frame = read_frame(broker)
                try:
                    client.sendall(frame)
                except OSError:
                    pass  # cut by us: the broker still answers
        except (OSError, ConnectionError):
            shut(client)
