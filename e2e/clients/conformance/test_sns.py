"""SNS: topics, subscriptions of queues, filters."""

import json

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .conftest import allow, arn_of, code, eventually, moto_differs


@pytest.fixture
def listener(sqs, queue, topic):
    """A queue that lets the topic send, and its ARN."""
    arn = arn_of(sqs, queue)
    policy = allow("sns.amazonaws.com", arn, topic)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return arn


def subscribe(sns, topic, listener, **attributes):
    members = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": listener, "ReturnSubscriptionArn": True}
    return sns.subscribe(Attributes=attributes, **members)["SubscriptionArn"]


def receive(sqs, queue):
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return messages.get("Messages", [])


def text(value, data_type="String"):
    return {"DataType": data_type, "StringValue": value}


def test_making_a_topic_again_gives_its_arn(sns, name, topic):
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    assert topic.endswith(f":{name}")


def test_a_bad_name(sns):
    assert code(sns.create_topic, Name="a b") == "InvalidParameter"


def test_a_missing_topic(sns, topic):
    nobody = topic.rsplit(":", 1)[0] + ":nobody"
    assert "NotFound" in code(sns.publish, TopicArn=nobody, Message="m")
    assert "NotFound" in code(sns.get_topic_attributes, TopicArn=nobody)


def test_topics_are_listed(sns, topic):
    pages = sns.get_paginator("list_topics").paginate()
    assert topic in [entry["TopicArn"] for page in pages for entry in page["Topics"]]


def test_a_deleted_topic_is_gone(sns, topic):
    sns.delete_topic(TopicArn=topic)
    assert "NotFound" in code(sns.publish, TopicArn=topic, Message="m")


def test_attributes_of_a_topic(sns, topic):
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="News")
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (found["DisplayName"], found["TopicArn"]) == ("News", topic)


def test_tags_of_a_topic(sns, topic):
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_an_envelope(sns, sqs, topic, queue, listener):
    subscribe(sns, topic, listener)
    id = sns.publish(TopicArn=topic, Message="hello", Subject="about")["MessageId"]
    [message] = eventually(lambda: receive(sqs, queue))
    envelope = json.loads(message["Body"])
    assert (envelope["Type"], envelope["TopicArn"], envelope["MessageId"]) == ("Notification", topic, id)
    assert (envelope["Message"], envelope["Subject"]) == ("hello", "about")


@moto_differs("a message is signed with the key of the certificate at SigningCertURL")
@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "about"])
def test_an_envelope_is_signed(sns, sqs, topic, queue, listener, version, subject):
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    subscribe(sns, topic, listener)
    sns.publish(TopicArn=topic, Message="hello\nworld", **({"Subject": subject} if subject else {}))
    [message] = eventually(lambda: receive(sqs, queue))
    envelope = json.loads(message["Body"])
    assert envelope["SignatureVersion"] == version
    names = ["Message", "MessageId"] + (["Subject"] if subject else []) + ["Timestamp", "TopicArn", "Type"]
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names)
    certificate = x509.load_pem_x509_certificate(requests.get(envelope["SigningCertURL"], timeout=10).content)
    import base64

    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = base64.b64decode(envelope["Signature"])
    certificate.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), digest)


def test_raw_delivery(sns, sqs, topic, queue, listener):
    subscribe(sns, topic, listener, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="hello", MessageAttributes={"a": text("1")})
    [message] = eventually(lambda: receive(sqs, queue))
    assert (message["Body"], message["MessageAttributes"]["a"]["StringValue"]) == ("hello", "1")


@moto_differs("a queue whose policy does not let the topic send gets nothing")
def test_a_queue_that_does_not_allow_it(sns, sqs, topic, queue):
    subscribe(sns, topic, arn_of(sqs, queue))
    sns.publish(TopicArn=topic, Message="hello")
    assert receive(sqs, queue) == []


def test_subscribing_again_gives_the_same_arn(sns, topic, listener):
    assert subscribe(sns, topic, listener) == subscribe(sns, topic, listener)


def test_subscriptions_are_listed(sns, topic, listener):
    arn = subscribe(sns, topic, listener)
    [entry] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (entry["SubscriptionArn"], entry["Protocol"], entry["Endpoint"]) == (arn, "sqs", listener)


def test_a_fifo_queue_cannot_listen(sns, sqs, topic, fifo):
    assert code(subscribe, sns, topic, arn_of(sqs, fifo)) == "InvalidParameter"


def test_an_unsubscribed_queue_gets_nothing(sns, sqs, topic, queue, listener):
    sns.unsubscribe(SubscriptionArn=subscribe(sns, topic, listener))
    sns.publish(TopicArn=topic, Message="hello")
    assert receive(sqs, queue) == []


def test_attributes_of_a_subscription(sns, topic, listener):
    arn = subscribe(sns, topic, listener)
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (found["RawMessageDelivery"], found["TopicArn"], found["PendingConfirmation"]) == ("true", topic, "false")


def test_a_batch(sns, sqs, topic, queue, listener):
    subscribe(sns, topic, listener, RawMessageDelivery="true")
    entries = [{"Id": str(number), "Message": f"m{number}"} for number in range(5)]
    assert len(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]) == 5
    found = []
    eventually(lambda: found.extend(receive(sqs, queue)) or len(found) == 5)
    assert sorted(message["Body"] for message in found) == [f"m{number}" for number in range(5)]


def test_a_text_for_each_protocol(sns, sqs, topic, queue, listener):
    subscribe(sns, topic, listener, RawMessageDelivery="true")
    texts = json.dumps({"default": "for all", "sqs": "for queues"})
    sns.publish(TopicArn=topic, Message=texts, MessageStructure="json")
    assert eventually(lambda: receive(sqs, queue))[0]["Body"] == "for queues"


@pytest.mark.parametrize("subject", ["x" * 101, pytest.param("é", marks=moto_differs("a Subject is ASCII"))])
def test_a_bad_subject(sns, topic, subject):
    assert code(sns.publish, TopicArn=topic, Message="m", Subject=subject) == "InvalidParameter"


def test_a_message_that_is_too_long(sns, topic):
    assert code(sns.publish, TopicArn=topic, Message="x" * (256 * 1024 + 1)) == "InvalidParameter"


FILTERS = [
    ({"a": ["x", "y"]}, {"a": text("y")}, {"a": text("z")}),
    ({"a": [{"prefix": "au"}]}, {"a": text("audio")}, {"a": text("video")}),
    ({"a": [{"suffix": ".mp3"}]}, {"a": text("a.mp3")}, {"a": text("a.wav")}),
    ({"a": [{"anything-but": ["x"]}]}, {"a": text("y")}, {"a": text("x")}),
    ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": text("y")}, {"a": text("xy")}),
    ({"a": [{"equals-ignore-case": "x"}]}, {"a": text("X")}, {"a": text("y")}),
    ({"a": [{"numeric": [">", 1, "<=", 2.5]}]}, {"a": text("2.5", "Number")}, {"a": text("1", "Number")}),
    ({"a": [{"exists": True}]}, {"a": text("x")}, {"b": text("x")}),
    ({"a": [{"exists": False}]}, {"b": text("x")}, {"a": text("x")}),
    ({"a": ["x"], "b": ["y"]}, {"a": text("x"), "b": text("y")}, {"a": text("x")}),
    ({"a": ["x"]}, {"a": text('["x", "z"]', "String.Array")}, {"a": text('["z"]', "String.Array")}),
]


@pytest.mark.parametrize(("policy", "good", "bad"), FILTERS, ids=[json.dumps(policy) for policy, _, _ in FILTERS])
def test_filters_on_attributes(sns, sqs, topic, queue, listener, policy, good, bad):
    subscribe(sns, topic, listener, RawMessageDelivery="true", FilterPolicy=json.dumps(policy))
    sns.publish(TopicArn=topic, Message="bad", MessageAttributes=bad)
    sns.publish(TopicArn=topic, Message="good", MessageAttributes=good)
    found = [message["Body"] for message in eventually(lambda: receive(sqs, queue))]
    assert found == ["good"]


def test_a_filter_on_the_body(sns, sqs, topic, queue, listener):
    policy = json.dumps({"file": {"state": ["complete"]}})
    subscribe(sns, topic, listener, RawMessageDelivery="true", FilterPolicy=policy, FilterPolicyScope="MessageBody")
    for state in ["error", "complete"]:
        sns.publish(TopicArn=topic, Message=json.dumps({"file": {"state": state}}))
    [message] = eventually(lambda: receive(sqs, queue))
    assert json.loads(message["Body"])["file"]["state"] == "complete"


@pytest.mark.parametrize("policy", ['{"a": "x"}', pytest.param("{", marks=moto_differs("a policy that is no JSON: InvalidParameter")), '{"a": [{"numeric": ["?", 1]}]}', '{"a": [{"sings": true}]}'])
def test_a_filter_that_is_none(sns, topic, listener, policy):
    assert code(subscribe, sns, topic, listener, FilterPolicy=policy) == "InvalidParameter"


@moto_differs("a request with a wrong secret is refused")
def test_a_wrong_secret(cloud):
    assert code(cloud.client("sns", secret="wrong-secret").list_topics) == "SignatureDoesNotMatch"
