"""A running `segue up` for clients that we did not write."""

import json
import os
import pathlib
import subprocess
import time

import boto3
import pytest
import requests
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEGUE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "segue"


class Segue:
    """The product and the AWS side of one process on free ports."""

    def __init__(self, data):
        self.data = data
        command = [SEGUE, "up", "--data-dir", data, "--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]
        # Webhooks may point to this machine, where the tests receive them.
        environment = dict(os.environ, SEGUE_WEBHOOK_PRIVATE_HOSTS="127.0.0.1")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.environment = {}
        for line in self.process.stdout:
            if line.startswith("product"):
                self.url = line.split()[1]
            if line.startswith("export "):
                name, value = line.removeprefix("export ").strip().split("=", 1)
                self.environment[name] = value.strip("'\"")
            if line.startswith("export AWS_ENDPOINT_URL"):
                break

    def client(self, service):
        """A boto3 client as a stranger would make it from the printed lines."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            # boto3 still presigns with SigV2 when it is not told otherwise; S3 takes that for old buckets only.
            config=Config(
                retries={"max_attempts": 1},
                signature_version="s3v4" if service == "s3" else None,
                s3={"addressing_style": "path"},
            ),
        )

    def topic_with_queue(self, name):
        """A topic, and a queue that hears it: ARN and URL."""
        sqs, sns = self.client("sqs"), self.client("sns")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=name)["TopicArn"]
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        return topic, url

    def token(self, user):
        return subprocess.check_output([SEGUE, "token", user, "--data-dir", self.data], text=True).strip()

    def session(self, user):
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token(user)}"
        return session

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def segue(tmp_path_factory):
    running = Segue(tmp_path_factory.mktemp("segue") / "data")
    yield running
    running.stop()


@pytest.fixture
def mp3(tmp_path):
    """Two seconds of a tone."""
    path = tmp_path / "tone.mp3"
    source = "sine=frequency=440:sample_rate=44100:duration=2"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source, "-ac", "2", path], check=True
    )
    return path


def eventually(ask, patience=60):
    """Asks until there is an answer."""
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing came of it within {patience} s"
        time.sleep(0.05)
