"""The same cases against local-cloud and against moto, an implementation that we did not write.

A case says what AWS documents. Where moto does something else, the case carries `moto_differs` with
the documented behaviour in words: it must then fail on moto, so that the list stays true.
"""

import os
import pathlib
import socket
import subprocess
import sys
import time
import uuid

import boto3
import botocore.exceptions
import pytest
import requests
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
REGION = "us-east-1"


def moto_differs(documented):
    """What AWS documents and moto does not do."""
    return pytest.mark.moto_differs(documented)


def pytest_configure(config):
    config.addinivalue_line("markers", "moto_differs(documented): what AWS documents and moto does not do")


def pytest_collection_modifyitems(items):
    for item in items:
        marker = item.get_closest_marker("moto_differs")
        on_moto = getattr(item, "callspec", None) and item.callspec.params.get("cloud") == "moto"
        if marker and on_moto:
            item.add_marker(pytest.mark.xfail(reason=marker.args[0], strict=True))


class Cloud:
    """An endpoint and the key to it."""

    def __init__(self, name, process, endpoint, key, secret):
        self.name, self.process, self.endpoint, self.key, self.secret = name, process, endpoint, key, secret
        self.session = requests.Session()

    def client(self, service, key=None, secret=None, **settings):
        settings.setdefault("retries", {"max_attempts": 1})
        if service == "s3":
            settings.setdefault("signature_version", "s3v4")
            settings.setdefault("s3", {"addressing_style": "path"})
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key or self.key,
            aws_secret_access_key=secret or self.secret,
            config=Config(**settings),
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def start_local_cloud(data):
    command = [TARGET / "local-cloud", "--listen", "127.0.0.1:0", "--data-dir", data]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    exports = {}
    for line in process.stdout:
        if line.startswith("export "):
            name, value = line.removeprefix("export ").strip().split("=", 1)
            exports[name] = value.strip("'\"")
        if "AWS_ENDPOINT_URL" in exports:
            break
    key, secret = exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"]
    return Cloud("local-cloud", process, exports["AWS_ENDPOINT_URL"], key, secret)


def start_moto(log):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [pathlib.Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    endpoint = f"http://127.0.0.1:{port}"

    def up():
        try:
            return requests.get(f"{endpoint}/moto-api/", timeout=1).ok
        except requests.ConnectionError:
            return False

    eventually(up, 60)
    return Cloud("moto", process, endpoint, "test", "test")


@pytest.fixture(scope="session", params=["local-cloud", "moto"])
def cloud(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "moto":
        running = start_moto((directory / "log").open("w"))
    else:
        running = start_local_cloud(directory / "data")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def s3(cloud):
    return cloud.client("s3")


@pytest.fixture(scope="session")
def sqs(cloud):
    return cloud.client("sqs")


@pytest.fixture(scope="session")
def sns(cloud):
    return cloud.client("sns")


@pytest.fixture
def name():
    """A name that nobody else has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(s3, name):
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


@pytest.fixture
def fifo(sqs, name):
    return sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


@pytest.fixture
def topic(sns, name):
    return sns.create_topic(Name=name)["TopicArn"]


def arn_of(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def code(call, *arguments, **members):
    """The error code of a call that must fail."""
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(*arguments, **members)
    return raised.value.response["Error"]["Code"]


def status(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**members)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"]


def eventually(ask, patience=5):
    """Asks until there is an answer."""
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing came of it within {patience} s"
        time.sleep(0.05)


def allow(service, queue_arn, source_arn):
    """A queue policy that lets a service send for one source."""
    return (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},'
        '"Action":"sqs:SendMessage","Resource":"%s","Condition":{"ArnEquals":{"aws:SourceArn":"%s"}}}]}'
        % (service, queue_arn, source_arn)
    )
