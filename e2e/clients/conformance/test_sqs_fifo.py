"""SQS: FIFO queues."""

import pytest

from .conftest import arn_of, code, eventually, moto_differs


def send(sqs, queue, body, group="g", key=None, **members):
    return sqs.send_message(
        QueueUrl=queue, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=key or body, **members
    )


def receive(sqs, queue, count=10, **members):
    return sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=count, AttributeNames=["All"], **members).get(
        "Messages", []
    )


def bodies(messages):
    return [message["Body"] for message in messages]


def delete(sqs, queue, message):
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


@moto_differs("a name with .fifo and FifoQueue go together")
def test_a_fifo_queue_says_so_in_its_name(sqs, name):
    assert code(sqs.create_queue, QueueName=name, Attributes={"FifoQueue": "true"}) == "InvalidParameterValue"
    assert code(sqs.create_queue, QueueName=f"{name}.fifo") == "InvalidParameterValue"


def test_messages_come_in_their_order(sqs, fifo):
    for number in range(5):
        send(sqs, fifo, f"m{number}")
    assert bodies(receive(sqs, fifo)) == ["m0", "m1", "m2", "m3", "m4"]


def test_sequence_numbers_grow(cloud, sqs, fifo):
    if cloud.name == "moto":
        pytest.skip("its numbers are random, and grow by chance only")
    numbers = [int(send(sqs, fifo, f"m{number}")["SequenceNumber"]) for number in range(3)]
    assert numbers == sorted(set(numbers))
    [first, *_] = receive(sqs, fifo)
    assert int(first["Attributes"]["SequenceNumber"]) == numbers[0]
    assert first["Attributes"]["MessageGroupId"] == "g"


def test_a_group_waits_for_what_is_in_flight(sqs, fifo):
    send(sqs, fifo, "a1", "a")
    send(sqs, fifo, "a2", "a")
    send(sqs, fifo, "b1", "b")
    [first] = receive(sqs, fifo, 1)
    assert first["Body"] == "a1"
    assert bodies(receive(sqs, fifo)) == ["b1"]
    delete(sqs, fifo, first)
    assert bodies(receive(sqs, fifo)) == ["a2"]


def test_a_message_that_was_not_deleted_comes_first_again(sqs, fifo):
    send(sqs, fifo, "m1")
    send(sqs, fifo, "m2")
    receive(sqs, fifo, 1, VisibilityTimeout=1)
    assert bodies(eventually(lambda: receive(sqs, fifo))) == ["m1", "m2"]


@moto_differs("a repeated send is answered with the first one's id and number")
def test_the_same_message_is_sent_once(sqs, fifo):
    first = send(sqs, fifo, "m1", key="k")
    again = send(sqs, fifo, "other", key="k")
    assert (first["MessageId"], first["SequenceNumber"]) == (again["MessageId"], again["SequenceNumber"])
    assert bodies(receive(sqs, fifo)) == ["m1"]


@moto_differs("a deduplication id is known for five minutes, whether or not its message was deleted")
def test_the_same_message_is_known_after_it_was_deleted(sqs, fifo):
    send(sqs, fifo, "m1", key="k")
    [message] = receive(sqs, fifo)
    delete(sqs, fifo, message)
    send(sqs, fifo, "m1", key="k")
    assert receive(sqs, fifo) == []


def test_content_can_be_the_key(sqs, name):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
    for body in ["same", "same", "other"]:
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g")
    assert bodies(receive(sqs, queue)) == ["same", "other"]


def test_a_group_is_needed(sqs, fifo):
    assert code(sqs.send_message, QueueUrl=fifo, MessageBody="m", MessageDeduplicationId="k") == "MissingParameter"


def test_a_key_is_needed(sqs, fifo):
    assert code(sqs.send_message, QueueUrl=fifo, MessageBody="m", MessageGroupId="g") == "InvalidParameterValue"


def test_a_message_has_no_delay_of_its_own(sqs, fifo):
    assert code(send, sqs, fifo, "m", DelaySeconds=5) == "InvalidParameterValue"


@moto_differs("a group id has 1 to 128 letters, digits and punctuation")
@pytest.mark.parametrize("bad", ["x" * 129, "a b"])
def test_a_group_has_a_form(sqs, fifo, bad):
    assert code(send, sqs, fifo, "m", group=bad) == "InvalidParameterValue"


def test_a_batch_keeps_its_order(sqs, fifo):
    entries = [
        {"Id": str(number), "MessageBody": f"m{number}", "MessageGroupId": "g", "MessageDeduplicationId": str(number)}
        for number in range(10)
    ]
    answer = sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    assert len(answer["Successful"]) == 10
    assert bodies(receive(sqs, fifo)) == [f"m{number}" for number in range(10)]


@moto_differs("the dead letters of a FIFO queue go to a FIFO queue")
def test_its_dead_letters_are_fifo_too(sqs, name, fifo, queue):
    policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":2}' % arn_of(sqs, queue)
    set_policy = {"QueueUrl": fifo, "Attributes": {"RedrivePolicy": policy}}
    assert code(sqs.set_queue_attributes, **set_policy) == "InvalidParameterValue"
