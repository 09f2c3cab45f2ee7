"""The samples fit the schemas of docs/schemas, what the product really sends does too, and what is wrong does not."""

import copy
import json
import pathlib
import subprocess

import jsonschema
import pytest

from conftest import ROOT, SEGUE

SCHEMAS = ROOT / "docs" / "schemas"


def read(path):
    return json.loads(pathlib.Path(path).read_text())


def validator(kind):
    schema = read(SCHEMAS / f"{kind}.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted((SCHEMAS / "samples").glob("*.json")), ids=lambda path: path.stem)
def test_each_sample_fits_its_schema(path):
    sample = read(path)
    validator(sample["kind"]).validate(sample)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"kind": "other"},
        {"state": "queued"},
        {"progress": 101},
        {"progress": "42"},
        {"at": "yesterday"},
        {"file_id": "1"},
        {"outputs": None},
        {"error": {"code": 4000}},
        {"warning": "w", "state": "complete"},
    ],
    ids=str,
)
def test_what_is_wrong_does_not_fit(change):
    sample = read(SCHEMAS / "samples" / "transcode_result.complete.json")
    check = validator("transcode_result")
    check.validate(sample)
    with pytest.raises(jsonschema.ValidationError):
        check.validate(copy.deepcopy(sample) | change)


def test_listen_prints_what_fits(segue, tmp_path):
    """One file through the product: each line of `segue listen --json` fits, and the last one is its end."""
    clip = tmp_path / "tone.wav"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=1", clip], check=True, timeout=60
    )
    environment = {**segue.environment, "PATH": "/usr/bin:/bin", "SEGUE_LOG": "error"}
    command = [SEGUE, "listen", "--json", "--owner", "schema", "--seconds", "60", "--count", "2"]
    listener = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "listening to" in listener.stderr.readline()
    send = [SEGUE, "send", "--user", "schema", "--data-dir", segue.data, "--url", segue.url, clip]
    subprocess.run(send, check=True, timeout=120, stdout=subprocess.DEVNULL)
    output, _ = listener.communicate(timeout=90)
    messages = [json.loads(line) for line in output.splitlines()]
    check = validator("transcode_result")
    for message in messages:
        check.validate(message)
    assert {message["owner"] for message in messages} == {"schema"}
    assert sorted(message["state"] for message in messages) == ["complete", "transcoding"]
    queues = segue.client("sqs").list_queues(QueueNamePrefix="segue-listen-").get("QueueUrls", [])
    assert queues == [], "nothing is left behind"
