"""The containers of docker-compose.yml under a project name, ports and volumes of their own.

SEGUE_VERSION takes images of that tag as they are; without it they are built, as `test`. SEGUE_BUILD_NETWORK is
the network that the build uses, when it is not the engine's default.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import uuid

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ["issuer", "local-cloud", "messages-api", "notification-ingest", "transcode-worker", "transcoder", "upload-api"]
IMAGES = [name for name in SERVICES if name != "issuer"] + ["segue"]
TRANSCODERS = 3
# A build of everything on two slow cores; what runs is asked for much less.
BUILD_SECONDS = 5400


def compose_command():
    """Version 2 if it is there, or else 1.29."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.exit("neither `docker compose` nor `docker-compose` is here", returncode=2)


def free_ports(count):
    """Neighbours, all free a moment ago."""
    for first in range(20_000, 32_000, count):
        probes = [socket.socket() for _ in range(count)]
        try:
            for number, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + number))
            return list(range(first, first + count))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError("there are no free ports")


def eventually(ask, patience=60):
    """Asks until there is an answer."""
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing came of it within {patience} s"
        time.sleep(0.1)


class Stack:
    """The containers, and a user's view of them."""

    def __init__(self, directory):
        self.project = f"segue-test-{uuid.uuid4().hex[:8]}"
        ports = free_ports(6 + TRANSCODERS)
        names = ["LOCAL_CLOUD", "ISSUER", "UPLOAD_API", "MESSAGES_API", "NOTIFICATION_INGEST", "TRANSCODE_WORKER"]
        self.ports = dict(zip(names, ports))
        self.version = os.environ.get("SEGUE_VERSION", "test")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SEGUE_", "AWS_", "COMPOSE_"))},
            **{f"SEGUE_PORT_{name}": str(port) for name, port in self.ports.items()},
            "SEGUE_PORTS_TRANSCODER": f"{ports[6]}-{ports[-1]}",
            "SEGUE_S3_PUBLIC_ENDPOINT": f"http://127.0.0.1:{self.ports['LOCAL_CLOUD']}",
            "SEGUE_VERSION": self.version,
        }
        self.overrides = self.build_network(directory)
        self.uploads = f"http://127.0.0.1:{self.ports['UPLOAD_API']}"
        self.messages = f"http://127.0.0.1:{self.ports['MESSAGES_API']}"

    @staticmethod
    def build_network(directory):
        network = os.environ.get("SEGUE_BUILD_NETWORK")
        if not network:
            return []
        path = directory / "network.json"
        path.write_text(json.dumps({"services": {name: {"build": {"network": network}} for name in IMAGES + ["provision", "issuer"]}}))
        return ["-f", str(path)]

    def compose(self, *words, timeout=300, check=True, env_file=ROOT / ".env.example"):
        # The example as .env: its values must do, and nobody's own .env has a say.
        files = ["-f", str(ROOT / "docker-compose.yml"), *self.overrides]
        command = [*compose_command(), "--project-directory", str(ROOT), *files, "--env-file", str(env_file), "-p", self.project, *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0 or not check, f"{' '.join(words)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def build(self):
        if "SEGUE_VERSION" not in os.environ:
            self.compose("build", *[name for name in IMAGES if name != "segue"], "provision", timeout=BUILD_SECONDS)

    def up(self):
        self.compose("up", "-d", "--no-build", "--scale", f"transcoder={TRANSCODERS}")

    def token(self, user):
        words = self.compose("run", "--rm", "segue", "token", user).split()
        return words[-1]

    def session(self, user):
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token(user)}"
        return session

    def containers(self, service):
        """Of those that run."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, thing):
        return json.loads(subprocess.check_output(["docker", "inspect", thing]))[0]

    def health(self, container):
        return self.inspect(container)["State"]["Health"]["Status"]

    def until_healthy(self, patience=120):
        def all_are():
            containers = [container for service in SERVICES for container in self.containers(service)]
            wanted = len(SERVICES) - 1 + TRANSCODERS
            return len(containers) == wanted and all(self.health(container) == "healthy" for container in containers)

        eventually(all_are, patience)

    @staticmethod
    def has_worked(container):
        logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        return "job ended" in logs.stdout + logs.stderr

    def kill(self, service):
        """As a power cut would, all its containers at once."""
        subprocess.run(["docker", "kill", "--signal", "KILL", *self.containers(service)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    running = Stack(tmp_path_factory.mktemp("compose"))
    try:
        running.build()
        running.started = time.monotonic()
        running.up()
        yield running
        logs = running.compose("logs", "--no-color", check=False)
        (ROOT / "compose.log").write_text(logs)
    finally:
        running.compose("down", "--volumes", "--remove-orphans", check=False)


@pytest.fixture(scope="session")
def alice(stack):
    return stack.session("alice")


@pytest.fixture
def sound(tmp_path):
    """Makes a file of so many seconds."""

    def make(seconds):
        path = tmp_path / f"{seconds}.mp3"
        source = f"sine=frequency=440:sample_rate=44100:duration={seconds}"
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, "-ac", "2", str(path)]
        subprocess.run(command, check=True)
        return path

    return make
