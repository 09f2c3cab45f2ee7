"""SQS: standard queues."""

import json

import pytest

from .conftest import arn_of, code, eventually, moto_differs


def send(sqs, queue, body="hello", **members):
    return sqs.send_message(QueueUrl=queue, MessageBody=body, **members)


def receive(sqs, queue, **members):
    members.setdefault("MaxNumberOfMessages", 10)
    return sqs.receive_message(QueueUrl=queue, **members).get("Messages", [])


def attributes(sqs, queue):
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]


def set_attributes(sqs, queue, **values):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=values)


def test_a_queue_has_its_defaults(sqs, queue):
    found = attributes(sqs, queue)
    expected = {"VisibilityTimeout": "30", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0"}
    expected |= {"MessageRetentionPeriod": "345600"}
    assert {name: found[name] for name in expected} == expected


def test_making_a_queue_again_gives_its_url(sqs, name, queue):
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == queue


def test_making_it_again_with_other_attributes_fails(sqs, name, queue):
    assert "QueueAlreadyExists" in code(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "7"})


def test_a_queue_is_found_by_its_name(sqs, name, queue):
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == queue
    assert queue in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=f"{name}-x")


@pytest.mark.parametrize("bad", ["a b", "ü", "x" * 81, "a.b"])
def test_a_bad_name(cloud, bad):
    sqs = cloud.client("sqs", parameter_validation=False)
    assert "InvalidParameterValue" in code(sqs.create_queue, QueueName=bad)


@moto_differs("each attribute has its bounds (SQS API, SetQueueAttributes)")
@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("DelaySeconds", "901"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("MaximumMessageSize", "1023"),
    ],
)
def test_an_attribute_out_of_bounds(sqs, queue, attribute, value):
    assert code(set_attributes, sqs, queue, **{attribute: value}) in ("InvalidAttributeValue", "InvalidParameterValue")


@moto_differs("an attribute that does not exist: InvalidAttributeName")
def test_an_unknown_attribute(sqs, queue):
    assert code(set_attributes, sqs, queue, Colour="blue") == "InvalidAttributeName"


def test_a_missing_queue(cloud, sqs):
    url = f"{cloud.endpoint}/000000000000/nobody"
    assert "NonExistentQueue" in code(send, sqs, url)
    assert "NonExistentQueue" in code(sqs.get_queue_url, QueueName="nobody")


def test_a_deleted_queue_is_gone(sqs, name, queue):
    sqs.delete_queue(QueueUrl=queue)
    assert "NonExistentQueue" in code(sqs.get_queue_url, QueueName=name)


def test_a_message_goes_through(sqs, queue):
    sent = send(sqs, queue, "Jóga 夜 <&>")
    [message] = receive(sqs, queue)
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "Jóga 夜 <&>")
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]


def test_a_received_message_is_hidden(sqs, queue):
    send(sqs, queue)
    assert len(receive(sqs, queue)) == 1
    assert receive(sqs, queue) == []


def test_a_message_comes_back_when_its_time_is_over(sqs, queue):
    send(sqs, queue)
    receive(sqs, queue, VisibilityTimeout=1)
    [message] = eventually(lambda: receive(sqs, queue, AttributeNames=["All"]))
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_deleted_message_is_gone(sqs, queue):
    send(sqs, queue)
    [message] = receive(sqs, queue, VisibilityTimeout=0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert receive(sqs, queue) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_a_handle_that_is_none(sqs, queue):
    assert code(sqs.delete_message, QueueUrl=queue, ReceiptHandle="x") == "ReceiptHandleIsInvalid"


def test_visibility_can_be_changed(sqs, queue):
    send(sqs, queue)
    [message] = receive(sqs, queue)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert len(receive(sqs, queue)) == 1


def test_visibility_has_a_bound(sqs, queue):
    send(sqs, queue)
    handle = receive(sqs, queue)[0]["ReceiptHandle"]
    change = {"QueueUrl": queue, "ReceiptHandle": handle, "VisibilityTimeout": 43201}
    assert code(sqs.change_message_visibility, **change) == "InvalidParameterValue"


@moto_differs("the visibility of a message that is visible cannot be changed: MessageNotInflight")
def test_a_message_that_is_not_in_flight_cannot_be_held(sqs, queue):
    send(sqs, queue)
    [message] = receive(sqs, queue, VisibilityTimeout=0)
    change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5}
    assert "MessageNotInflight" in code(sqs.change_message_visibility, **change)


def test_a_delayed_message_comes_later(sqs, queue):
    send(sqs, queue, DelaySeconds=1)
    assert receive(sqs, queue) == []
    assert attributes(sqs, queue)["ApproximateNumberOfMessagesDelayed"] == "1"
    assert len(eventually(lambda: receive(sqs, queue))) == 1


def test_a_queue_can_delay_all(sqs, queue):
    set_attributes(sqs, queue, DelaySeconds="1")
    send(sqs, queue)
    assert receive(sqs, queue) == []
    assert len(eventually(lambda: receive(sqs, queue))) == 1


def test_a_delay_has_a_bound(sqs, queue):
    assert code(send, sqs, queue, DelaySeconds=901) == "InvalidParameterValue"


def test_message_attributes_of_all_types(sqs, queue):
    given = {
        "text": {"DataType": "String", "StringValue": "é"},
        "number": {"DataType": "Number.int", "StringValue": "12"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\0\1"},
    }
    sent = send(sqs, queue, MessageAttributes=given)
    # botocore itself compares the sums of what it receives.
    [message] = receive(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == given
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]


def test_attributes_are_given_to_those_who_ask(sqs, queue):
    given = {name: {"DataType": "String", "StringValue": "1"} for name in ["a.one", "a.two", "b"]}
    send(sqs, queue, MessageAttributes=given)
    [message] = receive(sqs, queue, VisibilityTimeout=0)
    assert "MessageAttributes" not in message
    [message] = receive(sqs, queue, MessageAttributeNames=["a.*"])
    assert sorted(message["MessageAttributes"]) == ["a.one", "a.two"]


def test_system_attributes(sqs, queue):
    send(sqs, queue)
    [message] = receive(sqs, queue, AttributeNames=["All"])
    found = message["Attributes"]
    assert found["ApproximateReceiveCount"] == "1"
    assert 0 <= int(found["ApproximateFirstReceiveTimestamp"]) - int(found["SentTimestamp"]) < 60_000


@moto_differs("a body has at least one character, and none that XML 1.0 has not")
@pytest.mark.parametrize("body", ["", "a\0b", "a\x08b"])
def test_a_body_that_is_none(cloud, queue, body):
    sqs = cloud.client("sqs", parameter_validation=False)
    assert code(send, sqs, queue, body) in ("InvalidMessageContents", "MissingParameter", "InvalidParameterValue")


def test_a_message_that_is_too_long(sqs, queue):
    assert code(send, sqs, queue, "x" * (1024 * 1024 + 1)) == "InvalidParameterValue"


def test_a_queue_can_take_less(sqs, queue):
    set_attributes(sqs, queue, MaximumMessageSize="1024")
    send(sqs, queue, "x" * 1024)
    assert code(send, sqs, queue, "x" * 1025) == "InvalidParameterValue"


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_messages_at_once(cloud, queue, count):
    sqs = cloud.client("sqs", parameter_validation=False)
    assert code(receive, sqs, queue, MaxNumberOfMessages=count) == "InvalidParameterValue"


def test_a_batch_of_messages(sqs, queue):
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 10
    found = []
    eventually(lambda: found.extend(receive(sqs, queue)) or len(found) == 10)
    entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(found)]
    hold = [entry | {"VisibilityTimeout": 60} for entry in entries]
    assert len(sqs.change_message_visibility_batch(QueueUrl=queue, Entries=hold)["Successful"]) == 10
    assert len(sqs.delete_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 10
    assert attributes(sqs, queue)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_one_bad_entry_fails_alone(sqs, queue):
    send(sqs, queue)
    [message] = receive(sqs, queue)
    entries = [{"Id": "bad", "ReceiptHandle": "x"}, {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}]
    answer = sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "ReceiptHandleIsInvalid", True)


def test_a_batch_must_be_one(cloud, queue):
    sqs = cloud.client("sqs", parameter_validation=False)

    def batch(*ids):
        entries = [{"Id": id, "MessageBody": "x"} for id in ids]
        return code(sqs.send_message_batch, QueueUrl=queue, Entries=entries)

    assert "BatchEntryIdsNotDistinct" in batch("a", "a")
    assert "TooManyEntriesInBatchRequest" in batch(*[str(number) for number in range(11)])
    assert "InvalidBatchEntryId" in batch("a b")
    assert "EmptyBatchRequest" in batch()


def test_a_batch_that_is_too_long(sqs, queue):
    entries = [{"Id": str(number), "MessageBody": "x" * 600_000} for number in range(2)]
    assert "BatchRequestTooLong" in code(sqs.send_message_batch, QueueUrl=queue, Entries=entries)


def test_a_waiting_receive_is_woken(cloud, sqs, queue):
    import threading

    threading.Timer(0.3, lambda: send(cloud.client("sqs"), queue)).start()
    assert len(receive(sqs, queue, WaitTimeSeconds=10)) == 1


def test_a_wait_has_a_bound(sqs, queue):
    assert code(receive, sqs, queue, WaitTimeSeconds=21) == "InvalidParameterValue"


def dead_letters(sqs, name, queue, most):
    dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    policy = {"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": most}
    set_attributes(sqs, queue, RedrivePolicy=json.dumps(policy), VisibilityTimeout="0")
    return dead


def test_dead_letters_after_just_so_many_receives(sqs, name, queue):
    dead = dead_letters(sqs, name, queue, 2)
    sent = send(sqs, queue)
    for _ in range(2):
        assert len(receive(sqs, queue)) == 1
    assert receive(sqs, queue) == []
    [message] = receive(sqs, dead, AttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]


def test_the_sources_of_dead_letters(sqs, name, queue):
    dead = dead_letters(sqs, name, queue, 2)
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]


@moto_differs("StartMessageMoveTask without a destination moves messages to where they came from")
def test_dead_letters_go_back(sqs, name, queue):
    dead = dead_letters(sqs, name, queue, 1)
    send(sqs, queue)
    receive(sqs, queue)
    assert receive(sqs, queue) == []
    set_attributes(sqs, queue, VisibilityTimeout="30")
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))
    assert len(eventually(lambda: receive(sqs, queue))) == 1
    tasks = sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead))["Results"]
    assert len(tasks) == 1


def test_a_queue_of_dead_letters_must_exist(sqs, queue):
    arn = arn_of(sqs, queue).replace(queue.rsplit("/", 1)[1], "nobody")
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    assert code(set_attributes, sqs, queue, RedrivePolicy=policy) in ("InvalidParameterValue", "InvalidAttributeValue") or (
        "NonExistentQueue" in code(set_attributes, sqs, queue, RedrivePolicy=policy)
    )


def test_purge(sqs, queue):
    for _ in range(3):
        send(sqs, queue)
    sqs.purge_queue(QueueUrl=queue)
    assert attributes(sqs, queue)["ApproximateNumberOfMessages"] == "0"


def test_counts(sqs, queue):
    for _ in range(3):
        send(sqs, queue)
    receive(sqs, queue, MaxNumberOfMessages=1)
    found = attributes(sqs, queue)
    assert (found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]) == ("2", "1")


def test_tags(sqs, queue):
    sqs.tag_queue(QueueUrl=queue, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=queue, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": "2"}


@moto_differs("a request with a wrong secret is refused")
def test_a_wrong_secret(cloud):
    assert code(cloud.client("sqs", secret="wrong-secret").list_queues) in ("SignatureDoesNotMatch", "InvalidSignatureException")
