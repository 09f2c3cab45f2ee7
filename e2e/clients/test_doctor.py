"""`segue doctor` on a system that is well, and on one with a fault at a time."""

import os
import subprocess

import pytest
from conftest import SEGUE, Segue


@pytest.fixture
def patient(tmp_path):
    running = Segue(tmp_path / "data")
    yield running
    running.stop()


def doctor(patient, *words):
    names = [name for name in os.environ if not name.startswith(("AWS_", "SEGUE_"))]
    environment = {**{name: os.environ[name] for name in names}, **patient.environment}
    done = subprocess.run([SEGUE, "doctor", *words], env=environment, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert done.returncode == (1 if found else 0), done.stderr
    return done.stdout, found


def test_nothing_is_found_where_nothing_is(patient):
    words = ["--service", patient.url, "--ffmpeg", "ffmpeg", "--ffprobe", "ffprobe"]
    keys = ["--jwks-url", f"{patient.url}/.well-known/jwks.json"]
    database = ["--database-url", f"sqlite://{patient.data}/db/upload-api.sqlite"]
    text, found = doctor(patient, *words, *keys, *database)
    assert not found, text
    for subject in ("clock", "bucket segue-media", "pipeline segue", "database", "token keys: 1", "service", "ffmpeg"):
        assert f"ok   {subject}" in text, text


def test_what_is_wrong_is_named_with_what_to_do(patient):
    sqs, sns = patient.client("sqs"), patient.client("sns")
    url = sqs.get_queue_url(QueueName="segue-results-uploads-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="what nobody could read")
    events = next(one for one in sns.list_subscriptions()["Subscriptions"] if one["Endpoint"].endswith("segue-transcoder-events"))
    sns.unsubscribe(SubscriptionArn=events["SubscriptionArn"])
    url = sqs.get_queue_url(QueueName="segue-results-messages")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "", "RedrivePolicy": ""})
    text, found = doctor(patient, "--bucket", "not-there", "--ffmpeg", "/not/there", "--database-url", "postgres://nobody@127.0.0.1:1/no")
    for subject in (
        "bucket not-there",
        "dead letters segue-results-uploads-dlq: 1 waiting",
        "queue segue-results-messages: what fails does not go to segue-results-messages-dlq",
        "subscription segue-transcoder-events to segue-transcoder-events: there is none",
        "subscription segue-results-messages to segue-results: the queue's policy does not let the topic send",
        "database: postgres://nobody@127.0.0.1:1/no",
        "/not/there",
    ):
        assert any(line.startswith(f"BAD  {subject}") for line in found), f"{subject}\n{text}"
    assert len(found) == 7 and text.count("\n     ") == 7, text

    # What provisioning can mend it mends.
    environment = {**os.environ, **patient.environment}
    subprocess.run([SEGUE, "provision", "--skip-pipeline"], env=environment, check=True, capture_output=True)
    text, found = doctor(patient)
    assert [line for line in found if "dead letters" not in line] == [], text
