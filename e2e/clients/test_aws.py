"""S3, SQS and SNS, by boto3; Elastic Transcoder has files of its own."""

import json

import botocore.exceptions
import pytest
import requests


def test_objects(segue):
    s3 = segue.client("s3")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="a/ü b", Body=b"0123456789", ContentType="text/x-test", Metadata={"k": "v"})
    s3.put_object(Bucket="things", Key="a", Body=b"beside")
    got = s3.get_object(Bucket="things", Key="a/ü b", Range="bytes=-3")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"789", "text/x-test", {"k": "v"})
    listed = s3.list_objects_v2(Bucket="things", Delimiter="/")
    assert [c["Key"] for c in listed["Contents"]] == ["a"]
    assert [p["Prefix"] for p in listed["CommonPrefixes"]] == ["a/"]
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "things", "Key": "a"})
    assert requests.get(link).content == b"beside"
    assert requests.get(link.replace("/things/a?", "/things/b?")).status_code == 403


def test_topic_to_queue(segue):
    sqs, sns = segue.client("sqs"), segue.client("sns")
    topic, url = segue.topic_with_queue("news")
    sns.publish(TopicArn=topic, Subject="hello", Message="world")
    received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    envelope = json.loads(received[0]["Body"])
    assert (envelope["Subject"], envelope["Message"]) == ("hello", "world")
    certificate = requests.get(envelope["SigningCertURL"])
    assert certificate.text.startswith("-----BEGIN CERTIFICATE-----")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])


def test_a_message_of_a_mebibyte_in_any_script(segue):
    """json.dumps writes each of these letters as six bytes: the body on the wire is three times the message."""
    sqs = segue.client("sqs")
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    text = "é" * (1024 * 1024 // 2)
    sqs.send_message(QueueUrl=url, MessageBody=text)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == text
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidParameterValue"):
        sqs.send_message(QueueUrl=url, MessageBody=text + "é")
