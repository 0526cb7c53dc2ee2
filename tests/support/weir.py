"""The program under test on a cluster: a topology of its own names, its commands, its processes.

    fraud = Topology(folder, "card-fraud-local.yaml", prefix)
    weir = Weir(program, cluster, fraud)
    weir.command("topics", "--create", "--partitions", "4", "--dev")
    with weir.running(state) as process: ...
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import urllib.error
import urllib.request

from cluster import Process, free_ports, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
READY_TIMEOUT_S = 60


def image_environment():
    """What the image sets for the C library."""
    name, value = re.search(r"\b(GLIBC_TUNABLES)=(\S+)", (ROOT / "Dockerfile").read_text()).groups()
    return {name: value}


class Topology:
    """A shipped topology file with names that no other test uses. Several may read the same input:
    `name` differs then, `prefix` is the same."""

    def __init__(self, folder, file, prefix, name=None, edit=lambda text: text):
        self.prefix = prefix
        self.name = name or prefix
        text = (ROOT / "topologies" / file).read_text()
        text = re.sub(r"(?m)^topology: \S+", f"topology: {self.name}", text)
        text = re.sub(r"(?m)^(    topic: )(\S+)", rf"\g<1>{prefix}-\g<2>", text)
        text = re.sub(r"topic: (fraud-alerts|card-fraud-dead-letters)", rf"topic: {self.name}-\g<1>",
                      text)
        self.path = pathlib.Path(folder) / f"{self.name}.yaml"
        self.write(edit(text))
        self.transactions = f"{prefix}-transactions"
        self.profiles = f"{prefix}-user-profiles"
        self.blocked = f"{prefix}-blocked-merchants"
        self.alerts = f"{self.name}-fraud-alerts"
        self.dead_letters = f"{self.name}-card-fraud-dead-letters"
        self.journal = f"{self.name}-journal"

    def write(self, text):
        self.text = text
        self.path.write_text(text)


class Weir:
    """Commands and processes of one topology."""

    def __init__(self, program, cluster, topology, folder, **settings):
        self.program = program
        self.cluster = cluster
        self.topology = topology
        self.folder = pathlib.Path(folder)
        self.settings = {"WEIR_BROKERS": cluster.bootstrap, "WEIR_REGISTRY_URL": cluster.registry.url,
                         "WEIR_DEV": "true" if len(cluster.brokers) == 1 else "false",
                         "WEIR_HTTP": "", **settings}
        self.started = 0

    def command(self, name, *arguments, check=True, timeout_s=300):
        result = subprocess.run(
            [self.program, name, self.topology.path, *arguments, "--schemas", SCHEMAS],
            env={**os.environ, **self.settings}, capture_output=True, text=True, check=False,
            cwd=self.folder, stdin=subprocess.DEVNULL, timeout=timeout_s)
        if check and result.returncode != 0:
            raise RuntimeError(f"weir {name}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def create_topics(self, partitions=4):
        one_broker = ["--dev"] if len(self.cluster.brokers) == 1 else []
        self.command("topics", "--create", "--partitions", str(partitions), *one_broker)

    def start(self, state, wait=True, **settings):
        """`weir run`; waits until it says that it is ready."""
        port = free_ports(1)[0]
        self.started += 1
        process = Process(
            [self.program, "run", self.topology.path, "--schemas", SCHEMAS],
            self.folder / f"{self.topology.name}-{self.started}.log", cwd=self.folder,
            env={**self.settings, "WEIR_STATE": str(state), "WEIR_HTTP": f"127.0.0.1:{port}",
                 "WEIR_WORKERS": "2", "WEIR_SESSION_TIMEOUT": "6s", **settings})
        process.port = port
        if wait:
            try:
                wait_until(lambda: self.is_ready(process), READY_TIMEOUT_S, "weir run")
            except BaseException:
                process.kill()
                print(process.output()[-4000:])
                raise
        return process

    def is_ready(self, process):
        if not process.running():
            raise RuntimeError(f"weir run ended with {process.popen.returncode}:\n"
                               f"{process.output()[-4000:]}")
        return get(process, "/readyz") is not None

    @contextlib.contextmanager
    def running(self, state, **settings):
        process = self.start(state, **settings)
        try:
            yield process
        except BaseException:
            process.kill()
            print(process.output()[-6000:])
            raise
        code = process.stop()
        assert code == 0, f"weir run ended with {code}:\n{process.output()[-4000:]}"

    def committed(self):
        """How many records of the stream's topic are done."""
        return sum(self.cluster.committed_offsets(self.topology.name,
                                                  self.topology.transactions).values())

    def lag(self):
        return self.cluster.lag(self.topology.name, self.topology.transactions)

    def wait_for_end(self, process, timeout_s=120):
        """Until everything that is in the stream's topic is committed."""
        def at_end():
            if not process.running():
                raise RuntimeError(f"weir run ended with {process.popen.returncode}:\n"
                                   f"{process.output()[-4000:]}")
            return self.lag() == 0

        wait_until(at_end, timeout_s, f"{self.topology.name} at the end of its input")


def get(process, path):
    """The answer's text, or None."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.port}{path}", timeout=5) as reply:
            return reply.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def metrics(process):
    """{name{labels}: value}."""
    lines = (get(process, "/metrics") or "").splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in lines if line and not line.startswith("#")}


def read_json(result):
    return json.loads(result.stdout)
