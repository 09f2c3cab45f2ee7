"""S3, SQS, SNS and Elastic Transcoder, by boto3."""

import json

import botocore.exceptions
import pytest
import requests
from conftest import eventually


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
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="news")["TopicArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
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


def test_the_program_of_the_old_days(segue, mp3):
    """Find the pipeline by its name, transcode to three presets, fetch the files."""
    transcoder, s3 = segue.client("elastictranscoder"), segue.client("s3")
    pages = transcoder.get_paginator("list_pipelines").paginate()
    pipeline = next(p for page in pages for p in page["Pipelines"] if p["Name"] == "segue")
    s3.put_object(Bucket=pipeline["InputBucket"], Key="old/x.mp3", Body=mp3.read_bytes())
    presets = {"x.wav": "1351620000001-300300", "x.flac": "1351620000001-300110", "x.mp4": "1351620000001-100110"}
    job = transcoder.create_job(
        PipelineId=pipeline["Id"],
        Input={"Key": "old/x.mp3"},
        Outputs=[{"Key": key, "PresetId": preset} for key, preset in presets.items()],
        OutputKeyPrefix="made/",
    )["Job"]
    assert job["Status"] == "Submitted"

    def ended():
        read = transcoder.read_job(Id=job["Id"])["Job"]
        return read if read["Status"] in ("Complete", "Error") else None

    read = eventually(ended)
    assert read["Status"] == "Complete", read
    # Rounded up: an MP3 of two seconds is some milliseconds longer.
    assert all(
        output["Duration"] in (2, 3) for output in read["Outputs"]
    )
    for key in presets:
        assert s3.head_object(Bucket=pipeline["OutputBucket"], Key=f"made/{key}")["ContentLength"] > 1000


def test_what_is_not_there_has_the_documented_code(segue):
    transcoder = segue.client("elastictranscoder")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        transcoder.read_job(Id="1111111111111-aaaaaa")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
