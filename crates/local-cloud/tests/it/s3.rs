//! Buckets and objects through the AWS SDK.

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, ChecksumMode, Delete, MetadataDirective, ObjectIdentifier},
};

use crate::world::World;

pub const BUCKET: &str = "a-bucket";

pub async fn world() -> (World, Client) {
    let world = World::start().await;
    let s3 = world.s3();
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    (world, s3)
}

/// The error code that S3 gave, or the status where an answer has no body.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> String {
    let error = result.unwrap_err();
    let status = error.raw_response().map(|response| response.status().as_u16().to_string());
    error.code().map(str::to_owned).or(status).unwrap_or_else(|| format!("{error:?}"))
}

pub async fn put(s3: &Client, key: &str, body: impl Into<Vec<u8>>) -> String {
    let body = ByteStream::from(body.into());
    let put = s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
    put.e_tag.unwrap()
}

pub async fn get(s3: &Client, key: &str) -> Vec<u8> {
    let got = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

/// The files that hold object content.
pub fn files(world: &World) -> usize {
    let objects = world.directory().join("objects");
    let directories = std::fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().path());
    directories.map(|directory| std::fs::read_dir(directory).unwrap().count()).sum()
}

/// Waits until what is no longer needed is gone.
pub async fn until_files(world: &World, expected: usize) {
    for _ in 0..200 {
        if files(world) == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(files(world), expected);
}

#[tokio::test]
async fn buckets_are_made_found_and_removed() {
    let (_world, s3) = world().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3.create_bucket().bucket("b-bucket").send().await.unwrap();
    let listed = s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, [BUCKET, "b-bucket"]);
    s3.head_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(code(s3.head_bucket().bucket("missing").send().await), "NotFound");
    let location = s3.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert_eq!(location.location_constraint().map_or("", |constraint| constraint.as_str()), "");
    put(&s3, "k", "x").await;
    assert_eq!(code(s3.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
    s3.delete_bucket().bucket("b-bucket").send().await.unwrap();
    assert_eq!(code(s3.delete_bucket().bucket("b-bucket").send().await), "NoSuchBucket");
    assert_eq!(code(s3.create_bucket().bucket("Not_A_Bucket").send().await), "InvalidBucketName");
    let body = ByteStream::from_static(b"x");
    assert_eq!(code(s3.put_object().bucket("missing").key("k").body(body).send().await), "NoSuchBucket");
    assert_eq!(code(s3.get_object().bucket("missing").key("k").send().await), "NoSuchBucket");
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let (world, s3) = world().await;
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    s3.put_object()
        .bucket(BUCKET)
        .key("song")
        .content_type("audio/mpeg")
        .content_disposition("attachment; filename=\"s.mp3\"")
        .content_encoding("gzip")
        .content_language("de")
        .cache_control("no-store")
        .expires(DateTime::from_secs(2_000_000_000))
        .metadata("owner", "u-1")
        .body(body.clone().into())
        .send()
        .await
        .unwrap();
    let world = world.restart().await;
    let s3 = world.s3();
    let got = s3.get_object().bucket(BUCKET).key("song").send().await.unwrap();
    assert_eq!(got.content_type(), Some("audio/mpeg"));
    assert_eq!(got.content_disposition(), Some("attachment; filename=\"s.mp3\""));
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.expires_string(), Some("Wed, 18 May 2033 03:33:20 GMT"));
    assert_eq!(got.metadata().unwrap()["owner"], "u-1");
    assert_eq!(got.content_length(), Some(3_000_000));
    assert!(got.body.collect().await.unwrap().to_vec() == body);
    let head = s3.head_object().bucket(BUCKET).key("song").send().await.unwrap();
    assert_eq!(head.content_length(), Some(3_000_000));
    assert_eq!(head.content_type(), Some("audio/mpeg"));
    assert_eq!(head.metadata().unwrap()["owner"], "u-1");
    assert_eq!(put(&s3, "abc", "abc").await, "\"900150983cd24fb0d6963f7d28e17f72\"");
    assert_eq!(put(&s3, "empty", "").await, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_eq!(get(&s3, "empty").await, b"");
    assert_eq!(code(s3.get_object().bucket(BUCKET).key("none").send().await), "NoSuchKey");
    assert_eq!(code(s3.head_object().bucket(BUCKET).key("none").send().await), "NotFound");
}

#[tokio::test]
async fn ranges() {
    let (_world, s3) = world().await;
    put(&s3, "k", "0123456789").await;
    for (range, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=6-", "6789", "bytes 6-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let got = s3.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(content_range));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), part.as_bytes(), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0"] {
        assert_eq!(code(s3.get_object().bucket(BUCKET).key("k").range(range).send().await), "InvalidRange", "{range}");
    }
    put(&s3, "empty", "").await;
    assert_eq!(code(s3.get_object().bucket(BUCKET).key("empty").range("bytes=0-").send().await), "InvalidRange");
}

#[tokio::test]
async fn any_key_is_a_key() {
    let (_world, s3) = world().await;
    let long = "k".repeat(1024);
    let keys = ["x", "x/y", "x/", "a b+c%20d?e#f&g=h", "ключ/日本/🎵", "../../etc/passwd", "a//b", ".", &long];
    for key in keys {
        put(&s3, key, key).await;
    }
    for key in keys {
        assert_eq!(get(&s3, key).await, key.as_bytes(), "{key}");
    }
    let mut listed: Vec<_> = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents.unwrap_or_default();
    let mut sorted = keys;
    sorted.sort_unstable();
    assert_eq!(listed.iter_mut().map(|object| object.key.take().unwrap()).collect::<Vec<_>>(), sorted);
    let body = ByteStream::from_static(b"x");
    let too_long = s3.put_object().bucket(BUCKET).key(format!("{long}k")).body(body).send().await;
    assert_eq!(code(too_long), "KeyTooLongError");
}

#[tokio::test]
async fn an_overwritten_or_deleted_object_leaves_no_file() {
    let (world, s3) = world().await;
    put(&s3, "a", "one").await;
    put(&s3, "a", "two").await;
    put(&s3, "b", "three").await;
    assert_eq!(get(&s3, "a").await, b"two");
    until_files(&world, 2).await;
    s3.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(code(s3.get_object().bucket(BUCKET).key("a").send().await), "NoSuchKey");
    until_files(&world, 1).await;
    let ids = ["b", "never"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).build().unwrap();
    let deleted = s3.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    until_files(&world, 0).await;
}

#[tokio::test]
async fn checksums_are_checked_and_kept() {
    let (world, s3) = world().await;
    use ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
    for algorithm in [Crc32, Crc32C, Crc64Nvme, Sha1, Sha256] {
        let put = s3.put_object().bucket(BUCKET).key("k").checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from_static(b"abc")).send().await.unwrap();
        let head = s3.head_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let sums = [
            head.checksum_crc32,
            head.checksum_crc32_c,
            head.checksum_crc64_nvme,
            head.checksum_sha1,
            head.checksum_sha256,
        ];
        assert_eq!(sums.iter().filter(|sum| sum.is_some()).count(), 1, "{algorithm}");
        assert_eq!(get(&s3, "k").await, b"abc");
    }
    let put = || s3.put_object().bucket(BUCKET).key("bad").body(ByteStream::from_static(b"abc"));
    assert_eq!(code(put().checksum_crc32("AAAAAA==").send().await), "BadDigest");
    assert_eq!(code(put().content_md5("CY9rzUYh03PK3k6DJie09g==").send().await), "BadDigest");
    assert_eq!(code(put().content_md5("short").send().await), "InvalidDigest");
    put().content_md5("kAFQmDzST7DWlj99KOF/cg==").key("good").send().await.unwrap();
    assert_eq!(code(s3.head_object().bucket(BUCKET).key("bad").send().await), "NotFound");
    until_files(&world, 2).await;
}

#[tokio::test]
async fn conditions() {
    let (_world, s3) = world().await;
    let put_new = || s3.put_object().bucket(BUCKET).key("k").if_none_match("*").body(ByteStream::from_static(b"x"));
    let etag = put_new().send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(put_new().send().await), "PreconditionFailed");
    let get = || s3.get_object().bucket(BUCKET).key("k");
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(code(get().if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(get().if_none_match(&etag).send().await), "304");
    get().if_none_match("\"other\"").send().await.unwrap();
    let modified = get().send().await.unwrap().last_modified.unwrap();
    assert_eq!(code(get().if_modified_since(modified).send().await), "304");
    get().if_modified_since(DateTime::from_secs(modified.secs() - 60)).send().await.unwrap();
    assert_eq!(code(s3.head_object().bucket(BUCKET).key("k").if_none_match(&etag).send().await), "304");
}

#[tokio::test]
async fn copies_share_nothing_but_bytes() {
    let (world, s3) = world().await;
    s3.put_object()
        .bucket(BUCKET)
        .key("a ä")
        .content_type("text/x")
        .metadata("m", "1")
        .body(ByteStream::from_static(b"abc"))
        .send()
        .await
        .unwrap();
    let source = format!("{BUCKET}/a%20%C3%A4");
    let copy = |key: &str| s3.copy_object().bucket(BUCKET).key(key).copy_source(&source);
    copy("b").send().await.unwrap();
    copy("c").metadata_directive(MetadataDirective::Replace).content_type("text/y").send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("a ä").send().await.unwrap();
    until_files(&world, 2).await;
    let b = s3.get_object().bucket(BUCKET).key("b").send().await.unwrap();
    assert_eq!((b.content_type(), b.metadata().map(|metadata| metadata["m"].as_str())), (Some("text/x"), Some("1")));
    assert_eq!(b.body.collect().await.unwrap().to_vec(), b"abc");
    let c = s3.head_object().bucket(BUCKET).key("c").send().await.unwrap();
    assert_eq!((c.content_type(), c.metadata().map_or(0, |metadata| metadata.len())), (Some("text/y"), 0));
    assert_eq!(code(copy("d").send().await), "NoSuchKey");
    let itself = s3.copy_object().bucket(BUCKET).key("b").copy_source(format!("{BUCKET}/b"));
    assert_eq!(code(itself.clone().send().await), "InvalidRequest");
    itself.metadata_directive(MetadataDirective::Replace).send().await.unwrap();
    assert_eq!(get(&s3, "b").await, b"abc");
}

#[tokio::test]
async fn listings_have_prefixes_delimiters_and_pages() {
    let (_world, s3) = world().await;
    let keys = ["a", "b/1", "b/2", "b/c/3", "b0", "d/4", "e"];
    for key in keys {
        put(&s3, key, "x").await;
    }
    let mut pages = s3.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(2).into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
    }
    assert_eq!(seen, ["a", "b/", "b0", "d/", "e"]);
    let under = s3.list_objects_v2().bucket(BUCKET).prefix("b/").delimiter("/").send().await.unwrap();
    assert_eq!(under.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), ["b/1", "b/2"]);
    assert_eq!(under.common_prefixes()[0].prefix(), Some("b/c/"));
    let after = s3.list_objects_v2().bucket(BUCKET).start_after("b/c/3").send().await.unwrap();
    assert_eq!(after.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), ["b0", "d/4", "e"]);
    let (mut marker, mut seen) = (None, Vec::new());
    loop {
        let page = s3.list_objects().bucket(BUCKET).delimiter("/").max_keys(1).set_marker(marker).send().await.unwrap();
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b/", "b0", "d/", "e"]);
    assert_eq!(code(s3.list_objects_v2().bucket(BUCKET).continuation_token("*").send().await), "InvalidArgument");
    assert_eq!(code(s3.list_objects_v2().bucket("missing").send().await), "NoSuchBucket");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (_world, s3) = world().await;
    let error = s3.get_bucket_versioning().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains("GetBucketVersioning"));
    let tagged = s3.put_object().bucket(BUCKET).key("k").tagging("a=b").body(ByteStream::from_static(b"x"));
    assert_eq!(code(tagged.send().await), "NotImplemented");
}
