"""SNS: HTTP subscribers."""

import http.server
import json
import threading

import pytest
import requests

from .conftest import code, eventually, moto_differs


class Subscriber:
    """Writes down what it is posted; answers with the statuses it is told, and then 200."""

    def __init__(self):
        self.posts, self.statuses = [], []
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                this.posts.append((dict(self.headers.items()), body.decode()))
                self.send_response(this.statuses.pop(0) if this.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, kind):
        lower = [({name.lower(): value for name, value in headers.items()}, body) for headers, body in self.posts]
        return [(headers, body) for headers, body in lower if headers.get("x-amz-sns-message-type") == kind]


@pytest.fixture
def subscriber():
    running = Subscriber()
    yield running
    running.server.shutdown()


def subscribe(sns, topic, subscriber, **members):
    return sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url, **members)["SubscriptionArn"]


def confirmation(subscriber):
    [(headers, body)] = eventually(lambda: subscriber.of("SubscriptionConfirmation"))
    return headers, json.loads(body)


@moto_differs("an HTTP subscriber is sent a SubscriptionConfirmation with a token")
def test_a_subscriber_is_asked_first(sns, topic, subscriber):
    assert subscribe(sns, topic, subscriber) == "pending confirmation"
    headers, message = confirmation(subscriber)
    assert headers["x-amz-sns-topic-arn"] == message["TopicArn"] == topic
    assert message["Type"] == "SubscriptionConfirmation" and message["Token"] in message["SubscribeURL"]
    sns.publish(TopicArn=topic, Message="too early")
    assert subscriber.of("Notification") == []


@moto_differs("a subscription counts once its token has come back")
def test_a_confirmed_subscriber_is_told(sns, topic, subscriber):
    subscribe(sns, topic, subscriber)
    token = confirmation(subscriber)[1]["Token"]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="hello")
    [(headers, body)] = eventually(lambda: subscriber.of("Notification"))
    assert json.loads(body)["Message"] == "hello"
    assert headers["x-amz-sns-subscription-arn"] == arn
    assert headers["content-type"].startswith("text/plain")


@moto_differs("the SubscribeURL confirms without credentials")
def test_the_url_confirms(sns, topic, subscriber):
    subscribe(sns, topic, subscriber)
    assert requests.get(confirmation(subscriber)[1]["SubscribeURL"], timeout=10).status_code == 200
    sns.publish(TopicArn=topic, Message="hello")
    eventually(lambda: subscriber.of("Notification"))


@moto_differs("a wrong token confirms nothing")
def test_a_wrong_token(sns, topic, subscriber):
    subscribe(sns, topic, subscriber)
    confirmation(subscriber)
    assert code(sns.confirm_subscription, TopicArn=topic, Token="0" * 64) == "InvalidParameter"


@moto_differs("an answer of 5xx is tried again")
def test_a_failure_is_tried_again(sns, topic, subscriber):
    policy = {"healthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}
    subscribe(sns, topic, subscriber, Attributes={"DeliveryPolicy": json.dumps(policy)})
    sns.confirm_subscription(TopicArn=topic, Token=confirmation(subscriber)[1]["Token"])
    subscriber.statuses = [500]
    sns.publish(TopicArn=topic, Message="hello")
    eventually(lambda: len(subscriber.of("Notification")) == 2, 10)


@moto_differs("the UnsubscribeURL of a message ends its subscription")
def test_the_url_unsubscribes(sns, topic, subscriber):
    subscribe(sns, topic, subscriber)
    sns.confirm_subscription(TopicArn=topic, Token=confirmation(subscriber)[1]["Token"])
    sns.publish(TopicArn=topic, Message="hello")
    [(_, body)] = eventually(lambda: subscriber.of("Notification"))
    assert requests.get(json.loads(body)["UnsubscribeURL"], timeout=10).status_code == 200
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


@moto_differs("the endpoint of a subscription over HTTP is an http URL")
def test_an_endpoint_must_fit_its_protocol(sns, topic):
    assert code(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint="ftp://127.0.0.1/a") == "InvalidParameter"
