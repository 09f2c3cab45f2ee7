"""Webhooks, received and checked by the libraries that the Standard Webhooks specification publishes."""

import http.server
import json
import pathlib
import queue
import subprocess
import threading

import pytest
from conftest import eventually
from standardwebhooks import Webhook, WebhookVerificationError

JAVASCRIPT = pathlib.Path(__file__).parent / "javascript"


class Receiver:
    """Takes posts as they come, for the library to look at."""

    def __init__(self):
        posts = self.posts = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                posts.put((body, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, kind):
        """The next post of this kind."""
        while True:
            body, headers = self.posts.get(timeout=60)
            if json.loads(body)["type"] == kind:
                return body, headers


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.server.shutdown()


def subscribe(session, segue, url):
    answer = session.post(f"{segue.url}/v1/webhooks", json={"url": url})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_python_verifies_what_becomes_of_a_file(segue, mp3, receiver):
    session = segue.session("pat")
    hook = subscribe(session, segue, receiver.url)
    with open(mp3, "rb") as body:
        answer = session.post(f"{segue.url}/v1/files", files={"file": ("song.mp3", body, "audio/mpeg")})
    body, headers = receiver.next("file.complete")
    event = Webhook(hook["secret"]).verify(body, headers)
    assert event["data"]["file_id"] == answer.json()["id"] and event["data"]["state"] == "complete"
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(body.replace(b"song.mp3", b"fake.mp3"), headers)

    rotated = session.post(f"{segue.url}/v1/webhooks/{hook['id']}/rotate-secret").json()
    assert session.post(f"{segue.url}/v1/webhooks/{hook['id']}/test").status_code == 202
    body, headers = receiver.next("webhook.test")
    for secret in (hook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body, headers)["data"] == {"webhook_id": hook["id"]}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)
    assert session.delete(f"{segue.url}/v1/webhooks/{hook['id']}").status_code == 204


def test_javascript_verifies_them_too(segue):
    # ./test installs it; a Segue that nobody tests needs none.
    assert (JAVASCRIPT / "node_modules" / "standardwebhooks").exists(), "run ./test, which installs it"
    node = subprocess.Popen(
        ["node", "receiver.mjs"], cwd=JAVASCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        session = segue.session("jo")
        hook = subscribe(session, segue, f"http://127.0.0.1:{int(node.stdout.readline())}/")
        node.stdin.write(hook["secret"] + "\n")
        node.stdin.flush()
        sent = session.post(f"{segue.url}/v1/webhooks/{hook['id']}/test").json()
        report = json.loads(node.stdout.readline())
        expected = {"id": sent["id"], "verified": True, "altered": False, "renamed": False, "type": "webhook.test"}
        assert report == expected
        log = f"{segue.url}/v1/webhooks/{hook['id']}/deliveries/{sent['id']}"
        delivery = eventually(lambda: (found := session.get(log).json())["state"] != "pending" and found)
        assert delivery["state"] == "delivered" and delivery["log"][0]["status"] == 204, delivery
    finally:
        node.kill()
        node.wait()
