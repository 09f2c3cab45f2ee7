"""S3: objects in parts."""

import hashlib

import pytest

from .conftest import code, moto_differs

MIB = 1024 * 1024
FIVE = bytes(5 * MIB)


def begin(s3, bucket, **members):
    return s3.create_multipart_upload(Bucket=bucket, Key="k", **members)["UploadId"]


def part(s3, bucket, upload, number, body):
    answer = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def complete(s3, bucket, upload, parts):
    members = {"Bucket": bucket, "Key": "k", "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    return s3.complete_multipart_upload(**members)


def test_parts_become_an_object(s3, bucket):
    upload = begin(s3, bucket, ContentType="audio/x", Metadata={"a": "b"})
    parts = [part(s3, bucket, upload, 1, FIVE), part(s3, bucket, upload, 2, b"end")]
    etag = complete(s3, bucket, upload, parts)["ETag"]
    sums = hashlib.md5(FIVE).digest() + hashlib.md5(b"end").digest()
    assert etag == f'"{hashlib.md5(sums).hexdigest()}-2"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == FIVE + b"end"
    assert (got["ContentType"], got["Metadata"]) == ("audio/x", {"a": "b"})


def test_a_range_across_parts(s3, bucket):
    upload = begin(s3, bucket)
    complete(s3, bucket, upload, [part(s3, bucket, upload, 1, FIVE), part(s3, bucket, upload, 2, b"end")])
    got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert got["Body"].read() == b"\0\0en"


def test_nothing_is_there_before_it_is_complete(s3, bucket):
    upload = begin(s3, bucket)
    part(s3, bucket, upload, 1, FIVE)
    assert code(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_parts_and_uploads_are_listed(s3, bucket):
    upload = begin(s3, bucket)
    part(s3, bucket, upload, 2, b"b")
    part(s3, bucket, upload, 1, b"a")
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert [(entry["PartNumber"], entry["Size"]) for entry in listed] == [(1, 1), (2, 1)]
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]


@moto_differs("uploads are grouped under common prefixes, and keys are URL encoded when that is asked for")
def test_uploads_are_listed_by_common_prefix(s3, bucket):
    keys = ["a/1", "a/2", "b", "c d"]
    ids = {key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys}
    listed = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Key"] for entry in listed["Uploads"]] == ["b", "c d"]
    assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["a/"]
    first = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=1)
    assert first["IsTruncated"] and [entry["Prefix"] for entry in first["CommonPrefixes"]] == ["a/"]
    second = s3.list_multipart_uploads(
        Bucket=bucket, Delimiter="/", MaxUploads=1, KeyMarker=first["NextKeyMarker"]
    )
    assert [entry["UploadId"] for entry in second["Uploads"]] == [ids["b"]]
    encoded = s3.list_multipart_uploads(Bucket=bucket, Prefix="c", EncodingType="url")
    assert [entry["Key"] for entry in encoded["Uploads"]] == ["c%20d"] and encoded["EncodingType"] == "url"


def test_a_part_that_came_again_counts_once(s3, bucket):
    upload = begin(s3, bucket)
    part(s3, bucket, upload, 1, b"first")
    complete(s3, bucket, upload, [part(s3, bucket, upload, 1, b"second")])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"


def test_a_small_part_that_is_not_the_last(s3, bucket):
    upload = begin(s3, bucket)
    parts = [part(s3, bucket, upload, 1, b"small"), part(s3, bucket, upload, 2, b"end")]
    assert code(complete, s3, bucket, upload, parts) == "EntityTooSmall"


def test_a_part_with_another_tag(s3, bucket):
    upload = begin(s3, bucket)
    part(s3, bucket, upload, 1, b"a")
    assert code(complete, s3, bucket, upload, [{"PartNumber": 1, "ETag": '"0"'}]) == "InvalidPart"


def test_a_part_that_never_came(s3, bucket):
    upload = begin(s3, bucket)
    one = part(s3, bucket, upload, 1, FIVE)
    assert code(complete, s3, bucket, upload, [one, {"PartNumber": 2, "ETag": one["ETag"]}]) == "InvalidPart"


@moto_differs("parts must be listed in the order of their numbers")
def test_parts_out_of_order(s3, bucket):
    upload = begin(s3, bucket)
    parts = [part(s3, bucket, upload, 1, FIVE), part(s3, bucket, upload, 2, FIVE)]
    assert code(complete, s3, bucket, upload, parts[::-1]) == "InvalidPartOrder"


@moto_differs("an upload that was aborted does not exist: NoSuchUpload")
def test_an_aborted_upload_is_gone(s3, bucket):
    upload = begin(s3, bucket)
    one = part(s3, bucket, upload, 1, b"a")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert code(complete, s3, bucket, upload, [one]) == "NoSuchUpload"
    assert code(part, s3, bucket, upload, 2, b"b") == "NoSuchUpload"


@pytest.mark.parametrize(
    "number", [pytest.param(0, marks=moto_differs("a part number is 1 to 10,000: InvalidArgument")), 10_001]
)
def test_part_numbers_have_bounds(s3, bucket, number):
    upload = begin(s3, bucket)
    assert code(part, s3, bucket, upload, number, b"a") == "InvalidArgument"


def test_a_part_that_is_copied(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=bytes(range(200)) * (6 * MIB // 200))
    upload = begin(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload, "CopySource": source}
    one = s3.upload_part_copy(PartNumber=1, **place)["CopyPartResult"]["ETag"]
    two = s3.upload_part_copy(PartNumber=2, CopySourceRange="bytes=1-3", **place)["CopyPartResult"]["ETag"]
    assert two == f'"{hashlib.md5(bytes([1, 2, 3])).hexdigest()}"'
    parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    complete(s3, bucket, upload, parts)
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-4")["Body"].read()[1:] == bytes([1, 2, 3])


@moto_differs("a copied range must lie within its source")
def test_a_part_that_is_copied_from_beyond_the_end(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload = begin(s3, bucket)
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
    source = {"Bucket": bucket, "Key": "source"}
    assert code(s3.upload_part_copy, CopySource=source, CopySourceRange="bytes=5-10", **place) == "InvalidArgument"


def test_if_none_match_on_completion(s3, bucket):
    upload = begin(s3, bucket)
    one = part(s3, bucket, upload, 1, b"a")
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    members = {"Bucket": bucket, "Key": "k", "UploadId": upload, "MultipartUpload": {"Parts": [one]}}
    assert code(s3.complete_multipart_upload, IfNoneMatch="*", **members) == "PreconditionFailed"
