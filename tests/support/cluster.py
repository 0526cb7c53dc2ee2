"""A real Kafka broker and a real schema registry on free loopback ports.

For tests: `with Cluster() as cluster:` starts both in a folder of their own and ends them at the
end, also when the test's process is killed. For playing: `python3 cluster.py start|stop|status DIR`
leaves them running, known by the pids in DIR. `cluster.py with COMMAND...` runs a command beside
them, with WEIR_BROKERS and WEIR_REGISTRY_URL in its environment.

The jars and the registry are where `./dev setup` put them: $WEIR_CACHE, or ~/.cache/weir. With
WEIR_TEST_KAFKA=VERSION, given to both, the broker is that version.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SUPPORT = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(
    os.environ.get("WEIR_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "weir"
)
KAFKA = CACHE / "-".join(filter(None, ("kafka", os.environ.get("WEIR_TEST_KAFKA"))))
CLUSTER_ID = "d2Vpci10ZXN0LWNsdXN0ZQ"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
LOWEST_PORT, PORTS_MIN = 10_000, 1_000
# Small heaps and one compiler: a laptop or a CI machine with two cores runs the test beside them.
JAVA = ["java", "-XX:+UseSerialGC", "-XX:-UsePerfData"]


def any_port():
    """Of those below the ones that connections are given, which would take it before it is listened on; else 0."""
    first_of_connections = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    count = first_of_connections - LOWEST_PORT
    return LOWEST_PORT + secrets.randbelow(count) if count >= PORTS_MIN else 0


def free_ports(count):
    """Ports that nobody listens on now. Another caller may still take one: starting Kafka is retried."""
    found = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            each = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                each.bind(("127.0.0.1", any_port()))
                found.append(each.getsockname()[1])
    return found


def wait_until(ready, timeout_s, what, pause_s=0.05):
    """Polls until `ready()` is true and returns what it returned."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = ready()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(pause_s)


def kafka_version():
    """Of the broker that is started."""
    jar, = KAFKA.glob("kafka_2*.jar")
    return jar.stem.split("-", 1)[1]


LIBC = ctypes.CDLL(None)


def _die_with_parent():
    """A test that is killed must not leave a broker behind (PR_SET_PDEATHSIG)."""
    LIBC.prctl(1, signal.SIGKILL)


TICKS_PER_S = os.sysconf("SC_CLK_TCK")  # what /proc counts a processor's time in


def cpu_seconds(pid):
    """Of all of its threads, in user and kernel mode, since it began."""
    user, kernel = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(kernel)) / TICKS_PER_S


class Process:
    """One program with its output in a file; ended by its pid, never by its name. A session of its
    own keeps Ctrl-C from it: its owner ends it, in order."""

    def __init__(self, arguments, log, env=None, cwd=None, detached=False):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(each) for each in arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(env or {})},
                start_new_session=True, preexec_fn=None if detached else _die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout_s=STOP_TIMEOUT_S):
        return self.popen.wait(timeout_s)

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM, then SIGKILL if that did not help; returns the exit code."""
        if self.running():
            self.popen.terminate()
            try:
                return self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.returncode

    def kill(self):
        """kill -9, and the process is reaped."""
        if self.running():
            self.popen.kill()
        return self.popen.wait()

    def pause(self):
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self):
        self.popen.send_signal(signal.SIGCONT)

    def output(self):
        return self.log.read_text(errors="replace")


class Service:
    """A server that is started, polled until it answers, stopped, and started again in place."""

    name = "?"

    def __init__(self, folder, detached=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.detached = detached
        self.process = None

    def launch(self):
        """Starts the process and returns it."""
        raise NotImplementedError

    def answers(self):
        """True once a client gets an answer."""
        raise NotImplementedError

    def start(self):
        self.begin()
        return self.wait_for_answer()

    def begin(self):
        self.process = self.launch()

    def wait_for_answer(self):
        try:
            wait_until(self._answers_or_died, START_TIMEOUT_S, self.name)
        except Exception:
            self.process.kill()
            raise
        return self

    def _answers_or_died(self):
        if not self.process.running():
            tail = self.process.output()[-2000:]
            raise RuntimeError(f"{self.name} ended with {self.process.popen.returncode}:\n{tail}")
        return self.answers()

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def kill(self):
        if self.process is not None:
            self.process.kill()


class Kafka(Service):
    """One broker. `settings` are further lines of server.properties; they win."""

    name = "kafka"

    def __init__(self, folder, settings=None, heap="768m", detached=False, port=None,
                 controller_port=None, jvm=()):
        super().__init__(folder, detached)
        self.heap = heap
        self.jvm = jvm
        ports = free_ports(2)
        self.port = port or ports[0]
        controller_port = controller_port or ports[1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.properties = self.folder / "server.properties"
        text = (SUPPORT / "kafka/server.properties").read_text()
        for name, value in (("CONTROLLER_PORT", controller_port), ("PORT", self.port),
                            ("DATA", self.folder / "data")):
            text = text.replace(f"@{name}@", str(value))
        text += "".join(f"{key}={value}\n" for key, value in (settings or {}).items())
        self.properties.write_text(text)

    def _java(self, *arguments, heap="128m"):
        if not KAFKA.is_dir():
            raise RuntimeError(f"no Kafka in {KAFKA}: run ./dev setup")
        return [*JAVA, f"-Xmx{heap}", f"-Dlog4j2.configurationFile={SUPPORT}/kafka/log4j2.properties",
                "-cp", f"{KAFKA}/*", *arguments]

    def launch(self):
        if not (self.folder / "data/meta.properties").exists():
            subprocess.run(
                self._java("-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "-t",
                           CLUSTER_ID, "-c", str(self.properties)),
                check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return Process(self._java(*self.jvm, "kafka.Kafka", str(self.properties), heap=self.heap),
                       self.folder / "kafka.log", detached=self.detached)

    def answers(self):
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        # A client that looks for a port where nobody listens yet prints to stderr: look first.
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            return bool(AdminClient({"bootstrap.servers": self.bootstrap,
                                     "log_level": 0}).list_topics(timeout=5).brokers)
        except KafkaException:
            return False


def brokers_in_quorum(folder, count, settings=None, heap="512m", jvm=()):
    """Brokers that are all controllers too; topics of the brokers' own are on all of them, and a
    majority must have what is acknowledged."""
    ports = free_ports(2 * count)
    brokers, controllers = ports[:count], ports[count:]
    majority = count // 2 + 1
    together = {
        "controller.quorum.voters": ",".join(
            f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers)),
        "offsets.topic.replication.factor": count,
        "transaction.state.log.replication.factor": count,
        "transaction.state.log.min.isr": majority,
        "min.insync.replicas": majority,
        "default.replication.factor": count,
    }
    return [Kafka(pathlib.Path(folder) / f"kafka-{i + 1}",
                  {**together, "node.id": i + 1, **(settings or {})}, heap,
                  port=brokers[i], controller_port=controllers[i], jvm=jvm) for i in range(count)]


class Registry(Service):
    """Apicurio with the Confluent API. What was registered survives stop() and start()."""

    name = "registry"

    def __init__(self, folder, detached=False, port=None, user=None, password=None):
        super().__init__(folder, detached)
        self.port = port or free_ports(1)[0]
        self.credentials = (user, password) if user else None
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def launch(self):
        home = CACHE / "registry"
        jars = sorted(home.glob("*-runner.jar"))
        if not jars:
            raise RuntimeError(f"no registry in {home}: run ./dev setup")
        options = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.port,
            "quarkus.http.access-log.enabled": "false",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            "apicurio.datasource.url": f"jdbc:h2:file:{self.folder}/db;DB_CLOSE_DELAY=-1",
        }
        if self.credentials:
            user, password = self.credentials
            users = "quarkus.security.users.embedded"
            permission = "quarkus.http.auth.permission.registry"
            options.update({
                "quarkus.http.auth.basic": "true", f"{users}.enabled": "true",
                f"{users}.plain-text": "true", f"{users}.users.{user}": password,
                f"{users}.roles.{user}": "user", f"{permission}.paths": "/apis/*",
                f"{permission}.policy": "authenticated",
            })
        return Process(
            [*JAVA, "-Xmx256m", "-XX:TieredStopAtLevel=1",
             *(f"-D{key}={value}" for key, value in options.items()), "-jar", jars[0]],
            self.folder / "registry.log", detached=self.detached)

    def answers(self):
        try:
            self.request("GET", "/subjects")
            # Confluent's default; Apicurio's own is to check nothing.
            self.request("PUT", "/config", {"compatibility": "BACKWARD"})
            return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def request(self, method, path, body=None):
        """One call of the REST API; returns the parsed answer."""
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        if self.credentials:
            import base64

            token = base64.b64encode(":".join(self.credentials).encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read() or b"null")

    def register(self, subject, schema):
        """Registers an Avro schema (a dict or its JSON text) and returns its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self.request("POST", f"/subjects/{subject}/versions", {"schema": text})["id"]

    def schema(self, schema_id):
        """The schema of an id, as a dict."""
        return json.loads(self.request("GET", f"/schemas/ids/{schema_id}")["schema"])


class Cluster:
    """A broker (or several) and, unless told otherwise, a registry; and what tests do with them."""

    def __init__(self, folder=None, registry=True, settings=None, detached=False, ports=(None, None),
                 brokers=1, jvm=()):
        self.owns_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="weir-cluster-"))
        self.brokers = (brokers_in_quorum(self.folder, brokers, settings, jvm=jvm) if brokers > 1 else
                        [Kafka(self.folder / "kafka", settings, detached=detached, port=ports[0],
                               jvm=jvm)])
        self.kafka = self.brokers[0]
        self.registry = (Registry(self.folder / "registry", detached=detached, port=ports[1])
                         if registry else None)
        self.admin_client = None
        self.asking_clients = {}
        self.partition_counts = {}

    @property
    def bootstrap(self):
        return ",".join(each.bootstrap for each in self.brokers)

    def start(self):
        try:
            for each in self.brokers:  # none of several answers before most of them run
                each.begin()
            for each in self.brokers:
                each.wait_for_answer()
            if self.registry:
                self.registry.start()
        except BaseException:
            self.stop(keep=True)
            raise
        return self

    def stop(self, keep=False):
        """Ends both. The folder goes too if it was ours, unless WEIR_KEEP is set."""
        for client in self.asking_clients.values():
            client.close()
        self.asking_clients = {}
        if self.registry:
            self.registry.stop()
        for each in self.brokers:
            each.stop()
        if self.owns_folder and not keep and not os.environ.get("WEIR_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- topics and records ----

    def admin(self):
        """One for the cluster's life: a client that is collected takes its unanswered calls along."""
        from confluent_kafka.admin import AdminClient

        if self.admin_client is None:
            self.admin_client = AdminClient({"bootstrap.servers": self.bootstrap})
        return self.admin_client

    def create_topic(self, name, partitions=1, **config):
        """Creates the topic and waits until it can be written to. `config` uses `_` for `.`."""
        from confluent_kafka.admin import NewTopic

        topic = NewTopic(name, num_partitions=partitions, replication_factor=len(self.brokers),
                         config={key.replace("_", "."): str(value) for key, value in config.items()})
        admin = self.admin()
        admin.create_topics([topic])[name].result(30)
        wait_until(lambda: len(admin.list_topics(name, timeout=10).topics[name].partitions)
                   == partitions, 30, f"topic {name}")
        return name

    def delete_topic(self, name):
        self.admin().delete_topics([name])[name].result(30)

    def topics(self):
        return sorted(self.admin().list_topics(timeout=10).topics)

    def producer(self, **config):
        """`config` uses `_` for `.`; murmur2, as Java's clients and as weir expects."""
        from confluent_kafka import Producer

        settings = {"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random",
                    "linger.ms": 5, "queue.buffering.max.messages": 1000000}
        settings.update({key.replace("_", "."): value for key, value in config.items()})
        return Producer(settings)

    def produce(self, topic, records, **config):
        """Each record is a dict of Producer.produce's arguments (key, value, partition, headers,
        timestamp); returns how many were acknowledged. Any failure raises."""
        producer = self.producer(**config)
        failures, count = [], 0

        def delivered(error, _message):
            if error is not None:
                failures.append(error)

        for record in records:
            while True:
                try:
                    producer.produce(topic, on_delivery=delivered, **record)
                    break
                except BufferError:
                    producer.poll(0.1)
            count += 1
            if count % 1000 == 0:
                producer.poll(0)
        if producer.flush(120) != 0 or failures:
            raise RuntimeError(f"{topic}: not everything was acknowledged: {failures[:3]}")
        return count

    def consume(self, topic, isolation="read_committed", start=None, timeout_s=120):
        """Every message from the beginning (or from {partition: offset} of `start`) to the end as
        it is now: the last stable offset, or with read_uncommitted the high watermark."""
        return list(self.each_message(topic, isolation, start, timeout_s))

    def each_message(self, topic, isolation="read_committed", start=None, timeout_s=120,
                     partition=None):
        """The same, one after the other: for more than fits into memory. Of all partitions or one."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

        consumer = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "weir-tests", "enable.auto.commit": False,
            "isolation.level": isolation, "enable.partition.eof": True,
            "auto.offset.reset": "earliest"})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            left = set(partitions) if partition is None else {partition}
            consumer.assign([TopicPartition(topic, each, (start or {}).get(each, OFFSET_BEGINNING))
                             for each in left])
            deadline = time.monotonic() + timeout_s
            while left:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic}: partitions {sorted(left)} not read to their end")
                for message in consumer.consume(10000, 0.1):
                    if message.error() is None:
                        yield message
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    else:
                        raise RuntimeError(f"{topic}: {message.error()}")
        finally:
            consumer.close()

    def asking(self, group="weir-tests"):
        """A client that asks about offsets and never joins the group; one for the cluster's life."""
        from confluent_kafka import Consumer

        if group not in self.asking_clients:
            # read_uncommitted: an open transaction on the group's offsets must not delay an answer.
            self.asking_clients[group] = Consumer({
                "bootstrap.servers": self.bootstrap, "group.id": group,
                "enable.auto.commit": False, "isolation.level": "read_uncommitted"})
        return self.asking_clients[group]

    def offsets_at(self, topic, logical):
        """{partition: its first offset or its end}. Not get_watermark_offsets: that may never return when a broker was
        away (librdkafka issue 2588)."""
        from confluent_kafka import KafkaException, TopicPartition

        client = self.asking()
        partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
        answers = client.offsets_for_times([TopicPartition(topic, each, logical) for each in partitions], timeout=10)
        for each in answers:
            if each.error is not None:
                raise KafkaException(each.error)
        return {each.partition: each.offset for each in answers}

    def end_offsets(self, topic):
        """{partition: offset after the newest record}."""
        from confluent_kafka import OFFSET_END

        return self.offsets_at(topic, OFFSET_END)

    def first_offsets(self, topic):
        from confluent_kafka import OFFSET_BEGINNING

        return self.offsets_at(topic, OFFSET_BEGINNING)

    def committed_offsets(self, group, topic):
        """{partition: committed offset} of the partitions that have one; empty while the group's
        coordinator is still starting."""
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        if topic not in self.partition_counts:
            self.partition_counts[topic] = len(self.end_offsets(topic))
        wanted = [TopicPartition(topic, each) for each in range(self.partition_counts[topic])]
        try:
            answer = self.asking(group).committed(wanted, 30)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError.NOT_COORDINATOR,
                                        KafkaError.COORDINATOR_NOT_AVAILABLE,
                                        KafkaError.COORDINATOR_LOAD_IN_PROGRESS):
                return {}
            raise
        return {each.partition: each.offset for each in answer if each.offset >= 0}

    def lag(self, group, topic):
        """How many offsets of the topic the group has not committed yet."""
        committed = self.committed_offsets(group, topic)
        return sum(end - committed.get(partition, 0)
                   for partition, end in self.end_offsets(topic).items())

    def wait_for_lag_zero(self, group, topic, timeout_s=120):
        wait_until(lambda: self.lag(group, topic) == 0, timeout_s, f"{group} at the end of {topic}")


# ---- Avro with the Confluent header, by an implementation that is not ours ----


def encode_avro(schema_id, schema, record):
    import io

    import fastavro

    out = io.BytesIO()
    out.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def decode_avro(registry, payload, schemas={}):
    """The record; schemas are remembered per registry and id."""
    import io

    import fastavro

    if payload[:1] != b"\0":
        raise ValueError("no Confluent header")
    key = (registry.url, int.from_bytes(payload[1:5], "big"))
    if key not in schemas:
        schemas[key] = fastavro.parse_schema(registry.schema(key[1]))
    return fastavro.schemaless_reader(io.BytesIO(payload[5:]), schemas[key], None)


# ---- for playing ----


def _alive(pid):
    """Running, and not a zombie that nobody reaped."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _running(state):
    if not state.exists():
        return None
    known = json.loads(state.read_text())
    return known if any(_alive(each) for each in known["pids"]) else None


def _stop(state):
    known = _running(state)
    for pid in known["pids"] if known else []:
        if _alive(pid):
            os.kill(pid, signal.SIGTERM)
    for pid in known["pids"] if known else []:
        wait_until(lambda: not _alive(pid), STOP_TIMEOUT_S, f"process {pid} to end")
    state.unlink(missing_ok=True)


def _run_with(command):
    with Cluster() as cluster:
        environment = {**os.environ, "WEIR_BROKERS": cluster.bootstrap,
                       "WEIR_REGISTRY_URL": cluster.registry.url}
        # Ctrl-C goes to the command as well; it ends by itself, then the cluster ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def before_exec():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            _die_with_parent()

        return subprocess.call(command, env=environment, preexec_fn=before_exec)


def main(arguments):
    if arguments[:1] == ["with"]:
        sys.exit(_run_with(arguments[1:]))
    if len(arguments) != 2 or arguments[0] not in ("start", "stop", "status"):
        sys.exit("usage: cluster.py start|stop|status DIR, or with COMMAND...")
    folder = pathlib.Path(arguments[1])
    state = folder / "running.json"
    known = _running(state)
    if arguments[0] == "start" and not known:
        shutil.rmtree(folder, ignore_errors=True)
        cluster = Cluster(folder, detached=True, ports=(9092, 8081)).start()
        known = {"pids": [cluster.kafka.process.pid, cluster.registry.process.pid],
                 "bootstrap": cluster.bootstrap, "registry": cluster.registry.url}
        state.write_text(json.dumps(known))
    elif arguments[0] == "stop":
        _stop(state)
        known = None
    if known:
        print(f"brokers:  {known['bootstrap']}\nregistry: {known['registry']}\nlogs in   {folder}")
    else:
        print("not running")


if __name__ == "__main__":
    main(sys.argv[1:])
