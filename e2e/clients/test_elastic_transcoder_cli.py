"""Elastic Transcoder by the AWS CLI, as shell scripts of the old days call it."""

import json
import pathlib
import subprocess
import sys

import pytest

ROLE = "arn:aws:iam::000000000000:role/transcoder"
CLI = pathlib.Path(sys.executable).parent / "aws"


@pytest.fixture
def aws(segue, tmp_path):
    """Runs a command and gives what it printed, read as JSON."""

    def run(*arguments, fails_with=None):
        environment = segue.environment | {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AWS_DEFAULT_REGION": segue.environment["AWS_REGION"],
            "AWS_MAX_ATTEMPTS": "1",
        }
        ran = subprocess.run([CLI, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        if fails_with is not None:
            assert ran.returncode != 0 and fails_with in ran.stderr, ran
            return None
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    return run


def test_from_a_pipeline_to_its_end(aws, segue, mp3):
    segue.client("s3").create_bucket(Bucket="cli")
    aws("s3", "cp", "--quiet", str(mp3), "s3://cli/in.mp3")
    et = "elastictranscoder"
    buckets = ("--input-bucket", "cli", "--output-bucket", "cli")
    pipeline = aws(et, "create-pipeline", "--name", "cli", "--role", ROLE, *buckets)["Pipeline"]["Id"]
    listed = aws(et, "list-pipelines", "--query", "Pipelines[?Name=='cli'].Id")
    assert listed == [pipeline]
    outputs = json.dumps([{"Key": "out.flac", "PresetId": "1351620000001-300110"}])
    job = aws(et, "create-job", "--pipeline-id", pipeline, "--input", "Key=in.mp3", "--outputs", outputs)["Job"]["Id"]

    # Most often it is over before the waiter first asks; if not, the waiter asks again after thirty seconds.
    aws(et, "wait", "job-complete", "--id", job)
    assert aws(et, "read-job", "--id", job)["Job"]["Status"] == "Complete"
    assert [one["Id"] for one in aws(et, "list-jobs-by-pipeline", "--pipeline-id", pipeline)["Jobs"]] == [job]
    aws(et, "cancel-job", "--id", job, fails_with="ResourceInUseException")

    name = aws(et, "update-pipeline", "--id", pipeline, "--name", "renamed")["Pipeline"]["Name"]
    assert name == "renamed"
    topics = "Progressing=,Completed=arn:aws:sns:us-east-1:000000000000:t,Warning=,Error="
    told = aws(et, "update-pipeline-notifications", "--id", pipeline, "--notifications", topics)
    assert told["Pipeline"]["Notifications"]["Completed"].endswith(":t")
    paused = aws(et, "update-pipeline-status", "--id", pipeline, "--status", "Paused")
    assert paused["Pipeline"]["Status"] == "Paused"
    waits = aws(et, "create-job", "--pipeline-id", pipeline, "--input", "Key=in.mp3", "--outputs", outputs)["Job"]["Id"]
    aws(et, "delete-pipeline", "--id", pipeline, fails_with="ResourceInUseException")
    aws(et, "cancel-job", "--id", waits)
    aws(et, "wait", "job-complete", "--id", waits, fails_with="Waiter JobComplete failed")
    aws(et, "delete-pipeline", "--id", pipeline)
    aws(et, "read-pipeline", "--id", pipeline, fails_with="ResourceNotFoundException")


def test_presets_and_roles(aws, segue):
    segue.client("s3").create_bucket(Bucket="cli")
    et = "elastictranscoder"
    audio = "Codec=mp3,SampleRate=44100,BitRate=192,Channels=2"
    made = aws(et, "create-preset", "--name", "mine", "--container", "mp3", "--audio", audio)
    assert made["Warning"] == ""
    preset = made["Preset"]["Id"]
    assert aws(et, "read-preset", "--id", preset)["Preset"]["Audio"]["BitRate"] == "192"
    custom = aws(et, "list-presets", "--query", "Presets[?Type=='Custom'].Id")
    assert preset in custom
    aws(et, "delete-preset", "--id", preset)
    wrong = "Codec=flac"
    aws(et, "create-preset", "--name", "x", "--container", "mp3", "--audio", wrong, fails_with="ValidationException")
    buckets = ("--input-bucket", "cli", "--output-bucket", "cli")
    tested = aws(et, "test-role", "--role", ROLE, *buckets, "--topics", "")
    assert tested["Success"] == "true", tested
