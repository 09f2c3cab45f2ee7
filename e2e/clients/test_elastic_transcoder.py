"""Every operation of Elastic Transcoder, its errors and its pages, by botocore."""

import json

import botocore.exceptions
import pytest
from conftest import eventually

ROLE = "arn:aws:iam::000000000000:role/transcoder"
PRESETS = {"wav": "1351620000001-300300", "flac": "1351620000001-300110", "mp4": "1351620000001-100110"}
NOBODY = "1111111111111-aaaaaa"


@pytest.fixture(scope="module")
def transcoder(segue):
    return segue.client("elastictranscoder")


@pytest.fixture
def bucket(segue):
    s3 = segue.client("s3")
    s3.create_bucket(Bucket="audio")
    return "audio"


@pytest.fixture
def make_pipeline(transcoder, bucket):
    """Makes pipelines, and deletes them when the test is over."""
    made = []

    def make(name="test", **more):
        pipeline = transcoder.create_pipeline(
            Name=name, Role=ROLE, InputBucket=bucket, OutputBucket=bucket, **more
        )["Pipeline"]
        made.append(pipeline["Id"])
        return pipeline

    yield make
    for pipeline in made:
        transcoder.update_pipeline_status(Id=pipeline, Status="Paused")
        for page in transcoder.get_paginator("list_jobs_by_pipeline").paginate(PipelineId=pipeline):
            for job in page["Jobs"]:
                if job["Status"] in ("Submitted", "Progressing"):
                    transcoder.cancel_job(Id=job["Id"])
        transcoder.delete_pipeline(Id=pipeline)


def refused(call, code, status, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**parameters)
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return answer["Error"]["Message"]


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_program_of_the_old_days(segue, transcoder, bucket, make_pipeline, mp3):
    """Find the pipeline by its name, transcode to three presets, be told by a topic, fetch the files."""
    s3, sqs = segue.client("s3"), segue.client("sqs")
    topic, url = segue.topic_with_queue("finished-audio")
    make_pipeline("Audio Files", Notifications={"Progressing": "", "Completed": topic, "Warning": "", "Error": topic})

    # What follows is the program.
    pages = transcoder.get_paginator("list_pipelines").paginate()
    pipeline = next(p for page in pages for p in page["Pipelines"] if p["Name"] == "Audio Files")
    s3.put_object(Bucket=pipeline["InputBucket"], Key="media/x.mp3", Body=mp3.read_bytes())
    job = transcoder.create_job(
        PipelineId=pipeline["Id"],
        Input={
            "Key": "media/x.mp3",
            "FrameRate": "auto",
            "Resolution": "auto",
            "AspectRatio": "auto",
            "Interlaced": "auto",
            "Container": "auto",
        },
        Outputs=[{"Key": f"x.{kind}", "PresetId": preset} for kind, preset in PRESETS.items()],
        OutputKeyPrefix="transcoded/",
    )["Job"]
    assert job["Status"] == "Submitted"

    def told():
        received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
        return received[0] if received else None

    envelope = json.loads(eventually(told)["Body"])
    assert envelope["Subject"] == f"Amazon Elastic Transcoder has finished transcoding job {job['Id']}."
    message = json.loads(envelope["Message"])
    assert (message["state"], message["jobId"], message["version"]) == ("COMPLETED", job["Id"], "2012-09-25")
    assert [output["status"] for output in message["outputs"]] == ["Complete"] * 3
    starts = {"wav": (0, b"RIFF"), "flac": (0, b"fLaC"), "mp4": (4, b"ftyp")}
    for output in message["outputs"]:
        body = s3.get_object(Bucket=pipeline["OutputBucket"], Key="transcoded/" + output["key"])["Body"].read()
        at, mark = starts[output["key"].removeprefix("x.")]
        assert body[at : at + 4] == mark and len(body) > 1000
    read = transcoder.read_job(Id=job["Id"])["Job"]
    assert read["Status"] == "Complete"
    # The waiter asks at once, and the job is over.
    transcoder.get_waiter("job_complete").wait(Id=job["Id"])


def test_pipelines_from_making_to_deleting(transcoder, bucket, make_pipeline):
    made = transcoder.create_pipeline(
        Name="two configs",
        Role=ROLE,
        InputBucket=bucket,
        ContentConfig={"Bucket": bucket},
        ThumbnailConfig={"Bucket": bucket},
        AwsKmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/1",
    )
    pipeline = made["Pipeline"]
    assert (status(made), made["Warnings"], pipeline["Status"]) == (201, [], "Active")
    assert pipeline["Arn"].endswith(f":pipeline/{pipeline['Id']}")
    assert pipeline["Notifications"] == {"Progressing": "", "Completed": "", "Warning": "", "Error": ""}
    read = transcoder.read_pipeline(Id=pipeline["Id"])
    assert (status(read), read["Pipeline"]) == (200, pipeline)
    topic = "arn:aws:sns:us-east-1:000000000000:any"
    updated = transcoder.update_pipeline(
        Id=pipeline["Id"], Name="renamed", AwsKmsKeyArn="", Notifications={"Error": topic}
    )
    assert status(updated) == 200 and updated["Warnings"] == []
    assert updated["Pipeline"]["Name"] == "renamed" and updated["Pipeline"].get("AwsKmsKeyArn") is None
    assert updated["Pipeline"]["Notifications"]["Error"] == topic
    assert updated["Pipeline"]["Role"] == ROLE, "what is left out stays"
    topics = {"Progressing": "", "Completed": topic, "Warning": "", "Error": ""}
    told = transcoder.update_pipeline_notifications(Id=pipeline["Id"], Notifications=topics)
    assert told["Pipeline"]["Notifications"] == topics
    for word in ("Paused", "Active"):
        assert transcoder.update_pipeline_status(Id=pipeline["Id"], Status=word)["Pipeline"]["Status"] == word
    assert status(transcoder.delete_pipeline(Id=pipeline["Id"])) == 202
    text = refused(transcoder.read_pipeline, "ResourceNotFoundException", 404, Id=pipeline["Id"])
    assert text == f"The specified pipeline was not found: account=000000000000, pipelineId={pipeline['Id']}."


def test_jobs_wait_while_their_pipeline_is_paused(segue, transcoder, bucket, make_pipeline, mp3):
    segue.client("s3").put_object(Bucket=bucket, Key="paused.mp3", Body=mp3.read_bytes())
    pipeline = make_pipeline("paused")["Id"]
    transcoder.update_pipeline_status(Id=pipeline, Status="Paused")

    def create(number):
        return transcoder.create_job(
            PipelineId=pipeline,
            Inputs=[{"Key": "paused.mp3"}],
            Output={"Key": f"paused/{number}.wav", "PresetId": PRESETS["wav"], "Rotate": "auto"},
            UserMetadata={"number": str(number)},
        )["Job"]

    jobs = [create(number) for number in range(53)]
    assert jobs[0]["UserMetadata"] == {"number": "0"} and jobs[0]["Output"] == jobs[0]["Outputs"][0]
    refused(transcoder.delete_pipeline, "ResourceInUseException", 409, Id=pipeline)
    for order in ("true", "false"):
        lists = transcoder.get_paginator("list_jobs_by_pipeline").paginate(PipelineId=pipeline, Ascending=order)
        pages = [page["Jobs"] for page in lists]
        assert [len(page) for page in pages] == [50, 3]
        ids = [job["Id"] for page in pages for job in page]
        assert ids == sorted((job["Id"] for job in jobs), reverse=order == "false")
    for job in jobs[1:]:
        assert status(transcoder.cancel_job(Id=job["Id"])) == 202
    refused(transcoder.cancel_job, "ResourceInUseException", 409, Id=jobs[1]["Id"])
    assert transcoder.read_job(Id=jobs[0]["Id"])["Job"]["Status"] == "Submitted"
    transcoder.update_pipeline_status(Id=pipeline, Status="Active")
    eventually(lambda: transcoder.read_job(Id=jobs[0]["Id"])["Job"]["Status"] == "Complete")
    lists = transcoder.get_paginator("list_jobs_by_status").paginate(Status="Canceled")
    canceled = {job["Id"] for page in lists for job in page["Jobs"]}
    assert {job["Id"] for job in jobs[1:]} <= canceled
    with pytest.raises(botocore.exceptions.WaiterError):
        transcoder.get_waiter("job_complete").wait(Id=jobs[1]["Id"])


def test_presets_from_making_to_deleting(segue, transcoder, bucket, make_pipeline, mp3):
    audio = {"Codec": "flac", "SampleRate": "48000", "Channels": "1", "CodecOptions": {"BitDepth": "24"}}
    made = transcoder.create_preset(Name="mono", Description="for speech", Container="flac", Audio=audio)
    preset = made["Preset"]
    assert (status(made), made["Warning"]) == (201, "")
    assert (preset["Type"], preset["Audio"]) == ("Custom", audio)
    assert transcoder.read_preset(Id=preset["Id"])["Preset"] == preset
    listed = [p["Id"] for page in transcoder.get_paginator("list_presets").paginate() for p in page["Presets"]]
    assert len(listed) == 63 and listed[-1] == preset["Id"] and listed == sorted(listed)
    segue.client("s3").put_object(Bucket=bucket, Key="speech.mp3", Body=mp3.read_bytes())
    job = transcoder.create_job(
        PipelineId=make_pipeline("speech")["Id"],
        Input={"Key": "speech.mp3"},
        Outputs=[{"Key": "speech.flac", "PresetId": preset["Id"]}],
    )["Job"]
    eventually(lambda: transcoder.read_job(Id=job["Id"])["Job"]["Status"] == "Complete")
    assert status(transcoder.delete_preset(Id=preset["Id"])) == 202
    refused(transcoder.read_preset, "ResourceNotFoundException", 404, Id=preset["Id"])
    refused(transcoder.delete_preset, "AccessDeniedException", 403, Id=PRESETS["wav"])
    level = {"Profile": "baseline", "Level": "1"}
    video = {"Codec": "H.264", "CodecOptions": level, "MaxWidth": "1920", "MaxHeight": "1080"}
    made = transcoder.create_preset(Name="v", Container="mp4", Video=video)
    assert "level 1 of H.264" in made["Warning"]
    transcoder.delete_preset(Id=made["Preset"]["Id"])


def test_roles(segue, transcoder, bucket):
    topic = segue.client("sns").create_topic(Name="roles")["TopicArn"]
    good = transcoder.test_role(Role=ROLE, InputBucket=bucket, OutputBucket=bucket, Topics=[topic])
    assert (good["Success"], good["Messages"]) == ("true", [])
    bad = transcoder.test_role(Role=ROLE, InputBucket=bucket, OutputBucket="none-such", Topics=[topic + "x"])
    assert bad["Success"] == "false" and len(bad["Messages"]) == 2, bad


def test_errors_as_botocore_reads_them(transcoder, make_pipeline, bucket):
    pipeline = make_pipeline("errors")["Id"]
    job = {"PipelineId": pipeline, "Input": {"Key": "a"}}
    text = refused(
        transcoder.create_job,
        "ValidationException",
        400,
        **job,
        Outputs=[{"Key": "k", "PresetId": PRESETS["wav"], "Rotate": "45"}],
    )
    assert text == (
        "1 validation error detected: Value '45' at 'outputs.1.member.rotate' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: (^auto$)|(^0$)|(^90$)|(^180$)|(^270$)"
    )
    text = refused(transcoder.create_preset, "ValidationException", 400, Name="p", Container="avi", Audio={})
    assert text.startswith("2 validation errors detected: ")
    text = refused(
        transcoder.create_job, "ResourceNotFoundException", 404, **job, Output={"Key": "k", "PresetId": NOBODY}
    )
    assert text == f"The specified preset was not found: account=000000000000, presetId={NOBODY}"
    refused(transcoder.cancel_job, "ResourceNotFoundException", 404, Id=NOBODY)
    refused(transcoder.list_pipelines, "ValidationException", 400, PageToken="2")
    neither = {"Name": "p", "Role": ROLE, "InputBucket": bucket}
    text = refused(transcoder.create_pipeline, "ValidationException", 400, **neither)
    assert text == "[OutputBucket and ContentConfig:Bucket are not allowed to both be null.]"
    text = refused(transcoder.create_pipeline, "ValidationException", 400, **neither | {"Role": "me"}, OutputBucket="b")
    assert text == "Role ARN is invalid: me"
