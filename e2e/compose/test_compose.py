"""What `docker compose up` promises, in the order of a day: start, use, scale, kill, stop, start again."""

import re
import time

import pytest
import requests
from conftest import IMAGES, ROOT, SERVICES, TRANSCODERS, eventually

# What a container decides, whatever .env says.
FIXED = {
    "SEGUE_ACCESS_KEYS", "SEGUE_AWS_LISTEN", "SEGUE_DATA_DIR", "SEGUE_LISTEN", "SEGUE_LOCAL_CLOUD_ACCESS_KEYS",
    "SEGUE_LOCAL_CLOUD_ACCESS_KEYS_FILE", "SEGUE_LOCAL_CLOUD_DATA_DIR", "SEGUE_LOCAL_CLOUD_LISTEN",
    "SEGUE_LOCAL_CLOUD_PUBLIC_ENDPOINT", "SEGUE_SCRATCH_DIR", "SEGUE_SNS_LOCAL_ENDPOINT", "SEGUE_TOKEN", "SEGUE_URL",
}  # fmt: skip
MOST_BYTES = 60 * 1024 * 1024


def upload(stack, session, path, name):
    with open(path, "rb") as body:
        answer = session.post(f"{stack.uploads}/v1/files", files={"file": (name, body, "audio/mpeg")})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def file(stack, session, id):
    """Nothing while the service is away."""
    try:
        answer = session.get(f"{stack.uploads}/v1/files/{id}", timeout=5)
    except requests.ConnectionError:
        return None
    return answer.json() if answer.status_code == 200 else None


def in_state(stack, session, id, *states, patience=120):
    def ask():
        found = file(stack, session, id)
        return found if found and found["state"] in states else None

    return eventually(ask, patience)


def complete(stack, session, id):
    found = in_state(stack, session, id, "complete", "error", patience=300)
    assert found["state"] == "complete", found
    return found


def notices_of(stack, session, id):
    answer = session.get(f"{stack.messages}/v1/messages", params={"status": "all", "limit": 100})
    return [notice for notice in answer.json()["items"] if notice["file_id"] == id]


def one_notice(stack, session, id):
    eventually(lambda: notices_of(stack, session, id))
    assert len(notices_of(stack, session, id)) == 1


def outputs_are_there(stack, session, found):
    for output in found["outputs"]:
        download = session.get(f"{stack.uploads}/v1/files/{found['id']}/outputs/{output['name']}")
        assert download.status_code == 200 and len(download.content) == output["size"]


def test_every_setting_has_a_way_in(stack, tmp_path):
    text = (ROOT / ".env.example").read_text()
    names = set(re.findall(r"^#?(SEGUE_[A-Z0-9_]+)=", text, re.M)) - FIXED
    probes = tmp_path / "env"
    probes.write_text("".join(f"{name}=probe-{name.lower()}\n" for name in names if name not in stack.environment))
    shown = stack.compose("--profile", "tools", "config", env_file=probes)
    missing = [name for name in names if f"probe-{name.lower()}" not in shown and name not in stack.environment]
    assert not missing


def test_the_compiler_is_the_one_of_the_repository():
    wanted = re.search(r'channel = "(.+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    assert f"ARG RUST_VERSION={wanted}\n" in (ROOT / "deploy/docker/Dockerfile").read_text()


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_small_and_run_as_nobody(stack, name):
    image = stack.inspect(f"segue/{name}:{stack.version}")
    config = image["Config"]
    assert config["User"] == "65532:65532"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0 OR MIT"
    assert name == "segue" or config["Healthcheck"]["Test"] == ["CMD", name, "--health"]
    print(f"{name}: {image['Size'] / 1024 / 1024:.1f} MiB")
    assert name == "transcoder" or image["Size"] < MOST_BYTES


def test_from_an_upload_to_a_notice(stack, alice, sound):
    id = upload(stack, alice, sound(3), "song.mp3")
    found = complete(stack, alice, id)
    one_notice(stack, alice, id)
    print(f"first notice {time.monotonic() - stack.started:.1f} s after `up`")
    assert notices_of(stack, alice, id)[0]["text"] == "Your file song.mp3 has been processed"
    outputs_are_there(stack, alice, found)
    bob = stack.session("bob")
    assert bob.get(f"{stack.messages}/v1/messages").json()["items"] == []
    assert bob.get(f"{stack.uploads}/v1/files/{id}").status_code == 404


def test_every_container_is_healthy_and_cannot_write(stack):
    stack.until_healthy()
    for service in SERVICES:
        for container in stack.containers(service):
            host = stack.inspect(container)["HostConfig"]
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], service


def test_transcoders_share_the_work(stack, alice, sound):
    path = sound(30)
    ids = [upload(stack, alice, path, f"part-{number}.mp3") for number in range(4 * TRANSCODERS)]
    for id in ids:
        complete(stack, alice, id)
        one_notice(stack, alice, id)
    busy = [container for container in stack.containers("transcoder") if stack.has_worked(container)]
    assert len(busy) > 1


@pytest.mark.parametrize("service", ["transcoder", "transcode-worker", "notification-ingest", "local-cloud", "postgres", "upload-api", "messages-api"])
def test_a_kill_in_mid_job_loses_nothing(stack, alice, sound, service):
    id = upload(stack, alice, sound(1200), f"while {service} dies.mp3")
    in_state(stack, alice, id, "transcoding")
    stack.kill(service)
    stack.up()
    found = complete(stack, alice, id)
    one_notice(stack, alice, id)
    outputs_are_there(stack, alice, found)


def test_a_stop_is_clean(stack):
    containers = [container for service in SERVICES for container in stack.containers(service)]
    before = time.monotonic()
    stack.compose("stop")
    print(f"stopped in {time.monotonic() - before:.1f} s")
    codes = {container: stack.inspect(container)["State"]["ExitCode"] for container in containers}
    assert set(codes.values()) == {0}, codes
    stack.up()
    stack.until_healthy()


def test_down_and_up_again_loses_nothing(stack, alice, sound):
    def everything():
        files = alice.get(f"{stack.uploads}/v1/files", params={"limit": 100}).json()["items"]
        notices = alice.get(f"{stack.messages}/v1/messages", params={"status": "all", "limit": 100}).json()["items"]
        return {found["id"] for found in files}, {notice["id"] for notice in notices}

    files, notices = everything()
    id = upload(stack, alice, sound(1200), "over night.mp3")
    in_state(stack, alice, id, "transcoding")
    stack.compose("down")
    stack.up()
    # The token of before: the issuer's key is the same.
    outputs_are_there(stack, alice, complete(stack, alice, id))
    one_notice(stack, alice, id)
    files_after, notices_after = everything()
    assert files_after == files | {id} and notices < notices_after and len(notices_after) == len(notices) + 1
