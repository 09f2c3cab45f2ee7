"""S3: events for queues."""

import json

import pytest

from .conftest import allow, arn_of, code, eventually, moto_differs


@pytest.fixture
def listener(sqs, queue, bucket):
    """A queue that lets the bucket send, and its ARN."""
    arn = arn_of(sqs, queue)
    policy = allow("s3.amazonaws.com", arn, f"arn:aws:s3:::{bucket}")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return arn


def rule(arn, events=("s3:ObjectCreated:*",), prefix=None, suffix=None):
    rules = [{"Name": name, "Value": value} for name, value in [("prefix", prefix), ("suffix", suffix)] if value]
    configuration = {"QueueArn": arn, "Events": list(events)}
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    return {"QueueConfigurations": [configuration]}


def listen(s3, bucket, configuration):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def receive(sqs, queue):
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def records(sqs, queue, count):
    found = []

    def enough():
        found.extend(record for body in receive(sqs, queue) for record in body.get("Records", []))
        return len(found) >= count

    eventually(enough)
    return found


def test_a_new_listener_gets_the_test_event(s3, sqs, bucket, queue, listener):
    listen(s3, bucket, rule(listener))
    [event] = eventually(lambda: receive(sqs, queue))
    assert (event["Event"], event["Service"], event["Bucket"]) == ("s3:TestEvent", "Amazon S3", bucket)


@moto_differs("the key of an event keeps its slashes")
def test_a_put_is_told(s3, sqs, bucket, queue, listener):
    listen(s3, bucket, rule(listener))
    etag = s3.put_object(Bucket=bucket, Key="media/a b+é.mp3", Body=b"12345")["ETag"]
    [record] = records(sqs, queue, 1)
    assert (record["eventSource"], record["eventName"], record["awsRegion"]) == (
        "aws:s3",
        "ObjectCreated:Put",
        "us-east-1",
    )
    entity = record["s3"]
    assert (entity["bucket"]["name"], entity["bucket"]["arn"]) == (bucket, f"arn:aws:s3:::{bucket}")
    assert entity["object"]["key"] == "media/a+b%2B%C3%A9.mp3"
    assert (entity["object"]["size"], entity["object"]["eTag"]) == (5, etag.strip('"'))
    assert entity["object"]["sequencer"]


@moto_differs("the completion of an upload is told as CompleteMultipartUpload only")
def test_each_kind_of_change_has_its_name(s3, sqs, bucket, queue, listener):
    listen(s3, bucket, rule(listener, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]))
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="c")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="c", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="c", UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="a")
    told = {(record["eventName"], record["s3"]["object"]["key"]) for record in records(sqs, queue, 4)}
    assert told == {
        ("ObjectCreated:Put", "a"),
        ("ObjectCreated:Copy", "b"),
        ("ObjectCreated:CompleteMultipartUpload", "c"),
        ("ObjectRemoved:Delete", "a"),
    }


@moto_differs("an object whose key does not have the rule's prefix and suffix is not told")
def test_prefix_and_suffix(s3, sqs, bucket, queue, listener):
    listen(s3, bucket, rule(listener, prefix="media/", suffix=".mp3"))
    for key in ["other/a.mp3", "media/a.wav", "media/a.mp3"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [record["s3"]["object"]["key"] for record in records(sqs, queue, 1)] == ["media/a.mp3"]
    assert receive(sqs, queue) == []


def test_later_changes_have_greater_sequencers(s3, sqs, bucket, queue, listener, cloud):
    if cloud.name == "moto":
        pytest.skip("it has one sequencer for all")
    listen(s3, bucket, rule(listener, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]))
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    told = sorted(records(sqs, queue, 3), key=lambda record: record["s3"]["object"]["sequencer"])
    assert [record["eventName"] for record in told] == ["ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectCreated:Put"]


@moto_differs("a queue whose policy does not let the bucket send is refused as a destination")
def test_a_queue_that_does_not_allow_it(s3, sqs, bucket, queue):
    assert code(listen, s3, bucket, rule(arn_of(sqs, queue))) == "InvalidArgument"


def test_a_topic_is_told(s3, sns, sqs, bucket, queue, topic):
    listener = arn_of(sqs, queue)
    policy = allow("sns.amazonaws.com", listener, topic)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=listener, Attributes={"RawMessageDelivery": "true"})
    statement = allow("s3.amazonaws.com", topic, f"arn:aws:s3:::{bucket}").replace("sqs:SendMessage", "sns:Publish")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=statement)
    topics = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    listen(s3, bucket, topics)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert records(sqs, queue, 1)[0]["s3"]["object"]["key"] == "k"


@moto_differs("a topic whose policy does not let the bucket publish is refused as a destination")
def test_a_topic_that_does_not_allow_it(s3, bucket, topic):
    topics = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    assert code(listen, s3, bucket, topics) == "InvalidArgument"


@moto_differs("a queue that does not exist is refused as a destination")
def test_a_queue_that_does_not_exist(s3, bucket):
    arn = "arn:aws:sqs:us-east-1:000000000000:nobody"
    assert code(listen, s3, bucket, rule(arn)) == "InvalidArgument"


def test_an_unknown_event(s3, bucket, listener):
    assert code(listen, s3, bucket, rule(listener, ["s3:ObjectSung:*"])) == "InvalidArgument"


@moto_differs("two rules for one event must not overlap")
def test_rules_that_overlap(s3, bucket, listener):
    configuration = rule(listener, prefix="a")
    configuration["QueueConfigurations"] += rule(listener, prefix="ab")["QueueConfigurations"]
    assert code(listen, s3, bucket, configuration) == "InvalidArgument"


def test_rules_come_back_and_go(s3, bucket, listener):
    listen(s3, bucket, rule(listener, prefix="media/"))
    [configuration] = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert (configuration["QueueArn"], configuration["Events"]) == (listener, ["s3:ObjectCreated:*"])
    [part] = configuration["Filter"]["Key"]["FilterRules"]
    assert (part["Name"].lower(), part["Value"]) == ("prefix", "media/")
    listen(s3, bucket, {})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
