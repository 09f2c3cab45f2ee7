//! Multipart uploads through the AWS SDK.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};

use crate::s3::{BUCKET, code, get, put, until_files, world};

const MIB: usize = 1024 * 1024;

async fn begin(s3: &Client, key: &str) -> String {
    let upload = s3.create_multipart_upload().bucket(BUCKET).key(key).content_type("audio/x").send().await.unwrap();
    upload.upload_id.unwrap()
}

async fn part(s3: &Client, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let put = s3.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
    let put = put.body(ByteStream::from(body)).send().await.unwrap();
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(put.e_tag)
        .set_checksum_crc32(put.checksum_crc32)
        .set_checksum_crc64_nvme(put.checksum_crc64_nvme)
        .build()
}

async fn complete(s3: &Client, key: &str, id: &str, parts: &[CompletedPart]) -> Result<String, String> {
    let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
    let done =
        s3.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id).multipart_upload(upload).send().await;
    match done {
        Ok(done) => Ok(done.e_tag.unwrap()),
        Err(error) => Err(code::<(), _>(Err(error))),
    }
}

#[tokio::test]
async fn parts_become_an_object() {
    let (world, s3) = world().await;
    put(&s3, "k", "old").await;
    let id = begin(&s3, "k").await;
    let three = part(&s3, "k", &id, 3, vec![b'c'; 10]).await;
    let _replaced = part(&s3, "k", &id, 1, vec![b'x'; 10]).await;
    let one = part(&s3, "k", &id, 1, vec![b'a'; 5 * MIB]).await;
    let _unused = part(&s3, "k", &id, 2, vec![b'b'; 10]).await;
    let world = world.restart().await;
    let s3 = world.s3();
    let listed = s3.list_parts().bucket(BUCKET).key("k").upload_id(&id).send().await.unwrap();
    let sizes: Vec<_> = listed.parts().iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect();
    assert_eq!(sizes, [(1, 5 * MIB as i64), (2, 10), (3, 10)]);
    let uploads = s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    assert_eq!(get(&s3, "k").await, b"old");
    let etag = complete(&s3, "k", &id, &[one.clone(), three.clone()]).await.unwrap();
    assert!(etag.ends_with("-2\""), "{etag}");
    // Again, as a client does that did not get the answer.
    assert_eq!(complete(&s3, "k", &id, &[one, three]).await.unwrap(), etag);
    until_files(&world, 2).await;
    let body = get(&s3, "k").await;
    assert!(body == [vec![b'a'; 5 * MIB], vec![b'c'; 10]].concat());
    let across = s3.get_object().bucket(BUCKET).key("k").range(format!("bytes={}-{}", 5 * MIB - 2, 5 * MIB + 1));
    let across = across.send().await.unwrap();
    assert_eq!(across.content_type(), Some("audio/x"));
    assert_eq!(across.body.collect().await.unwrap().to_vec(), b"aacc");
    s3.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/k")).send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(get(&s3, "copy").await == body);
    until_files(&world, 2).await;
}

#[tokio::test]
async fn a_wrong_list_of_parts_is_refused() {
    let (_world, s3) = world().await;
    let id = begin(&s3, "k").await;
    let one = part(&s3, "k", &id, 1, vec![b'a'; 100]).await;
    let two = part(&s3, "k", &id, 2, vec![b'b'; 100]).await;
    let refused = |parts: Vec<CompletedPart>| {
        let (s3, id) = (s3.clone(), id.clone());
        async move { complete(&s3, "k", &id, &parts).await.unwrap_err() }
    };
    assert_eq!(refused(vec![one.clone(), two.clone()]).await, "EntityTooSmall");
    assert_eq!(refused(vec![two.clone(), one.clone()]).await, "InvalidPartOrder");
    assert_eq!(refused(vec![one.clone(), one.clone()]).await, "InvalidPartOrder");
    assert_eq!(refused(vec![]).await, "MalformedXML");
    let missing = CompletedPart::builder().part_number(9).e_tag(one.e_tag().unwrap()).build();
    assert_eq!(refused(vec![missing]).await, "InvalidPart");
    let other_tag = CompletedPart::builder().part_number(1).e_tag(two.e_tag().unwrap()).build();
    assert_eq!(refused(vec![other_tag]).await, "InvalidPart");
    assert_eq!(complete(&s3, "k", "no-such-id", std::slice::from_ref(&one)).await.unwrap_err(), "NoSuchUpload");
    assert_eq!(complete(&s3, "other", &id, std::slice::from_ref(&one)).await.unwrap_err(), "NoSuchUpload");
    complete(&s3, "k", &id, &[one]).await.unwrap();
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let (world, s3) = world().await;
    let id = begin(&s3, "k").await;
    part(&s3, "k", &id, 1, vec![b'a'; 100]).await;
    s3.abort_multipart_upload().bucket(BUCKET).key("k").upload_id(&id).send().await.unwrap();
    until_files(&world, 0).await;
    let late = s3.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(1);
    assert_eq!(code(late.body(ByteStream::from_static(b"x")).send().await), "NoSuchUpload");
    assert!(s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().is_empty());
    let id = begin(&s3, "k").await;
    part(&s3, "k", &id, 1, vec![b'a'; 100]).await;
    let beyond = s3.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(10_001);
    assert_eq!(code(beyond.body(ByteStream::from_static(b"x")).send().await), "InvalidArgument");
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    until_files(&world, 0).await;
}

#[tokio::test]
async fn sums_of_parts_make_the_sum_of_the_object() {
    let (_world, s3) = world().await;
    for (algorithm, kind) in
        [(ChecksumAlgorithm::Crc32, ChecksumType::Composite), (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject)]
    {
        let begun = s3.create_multipart_upload().bucket(BUCKET).key("k");
        let begun = begun.checksum_algorithm(algorithm.clone()).checksum_type(kind.clone()).send().await.unwrap();
        let id = begun.upload_id.unwrap();
        let mut parts = Vec::new();
        for (number, body) in [(1, vec![b'a'; 5 * MIB]), (2, vec![b'b'; 10])] {
            let put = s3.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(number);
            let put = put.checksum_algorithm(algorithm.clone()).body(body.into()).send().await.unwrap();
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(put.e_tag)
                    .set_checksum_crc32(put.checksum_crc32)
                    .set_checksum_crc64_nvme(put.checksum_crc64_nvme)
                    .build(),
            );
        }
        if kind == ChecksumType::Composite {
            let bare = CompletedPart::builder().part_number(1).set_e_tag(parts[0].e_tag.clone()).build();
            assert_eq!(complete(&s3, "k", &id, &[bare]).await.unwrap_err(), "InvalidRequest");
        }
        complete(&s3, "k", &id, &parts).await.unwrap();
        // The SDK compares a sum of the whole object with what it reads.
        assert_eq!(get(&s3, "k").await.len(), 5 * MIB + 10);
        let head = s3.head_object().bucket(BUCKET).key("k").checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        assert_eq!(head.checksum_type(), Some(&kind));
        assert_eq!(head.checksum_crc32().is_some_and(|sum| sum.ends_with("-2")), kind == ChecksumType::Composite);
    }
}

#[tokio::test]
async fn a_reader_keeps_what_it_reads() {
    let (world, s3) = world().await;
    let id = begin(&s3, "k").await;
    let mut parts = Vec::new();
    // Far more than the connection holds, so that the last files are not open yet.
    for number in 1..=4 {
        parts.push(part(&s3, "k", &id, number, vec![number as u8; 8 * MIB]).await);
    }
    complete(&s3, "k", &id, &parts).await.unwrap();
    let got = s3.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    put(&s3, "k", "new").await;
    assert_eq!(get(&s3, "k").await, b"new");
    let body = got.body.collect().await.unwrap().to_vec();
    assert!(body == (1..=4).flat_map(|number| vec![number; 8 * MIB]).collect::<Vec<u8>>());
    until_files(&world, 1).await;
}

#[tokio::test]
async fn uploads_are_listed_by_common_prefix_page_by_page() {
    let (_world, s3) = world().await;
    for key in ["a/1", "a/2", "b", "c/d/1", "c/d/2", "c/e", "ü &"] {
        begin(&s3, key).await;
    }
    let second = begin(&s3, "b").await;
    let list = || s3.list_multipart_uploads().bucket(BUCKET);
    let whole = list().delimiter("/").send().await.unwrap();
    let keys: Vec<_> = whole.uploads().iter().map(|upload| upload.key().unwrap()).collect();
    let prefixes: Vec<_> = whole.common_prefixes().iter().map(|common| common.prefix().unwrap()).collect();
    assert_eq!((keys, prefixes), (vec!["b", "b", "ü &"], vec!["a/", "c/"]));
    assert_eq!((whole.is_truncated(), whole.delimiter()), (Some(false), Some("/")));
    let below = list().prefix("c/").delimiter("/").send().await.unwrap();
    let keys: Vec<_> = below.uploads().iter().map(|upload| upload.key().unwrap()).collect();
    let prefixes: Vec<_> = below.common_prefixes().iter().map(|common| common.prefix().unwrap()).collect();
    assert_eq!((keys, prefixes), (vec!["c/e"], vec!["c/d/"]));

    let mut seen = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let request = list().delimiter("/").max_uploads(1).set_key_marker(key).set_upload_id_marker(id);
        let page = request.send().await.unwrap();
        seen.extend(page.uploads().iter().map(|upload| upload.key().unwrap().to_owned()));
        seen.extend(page.common_prefixes().iter().map(|common| common.prefix().unwrap().to_owned()));
        assert!(seen.len() <= 5, "{seen:?}");
        if page.is_truncated() != Some(true) {
            break;
        }
        key = page.next_key_marker().map(str::to_owned);
        id = page.next_upload_id_marker().map(str::to_owned);
    }
    assert_eq!(seen, ["a/", "b", "b", "c/", "ü &"]);

    let encoded = list().encoding_type("url".into()).prefix("ü").key_marker("b").upload_id_marker(&second);
    let encoded = encoded.send().await.unwrap();
    assert_eq!(encoded.uploads()[0].key(), Some("%C3%BC%20%26"));
    assert_eq!((encoded.prefix(), encoded.key_marker()), (Some("%C3%BC"), Some("b")));
    let wrong = list().encoding_type("other".into()).send().await.unwrap_err();
    assert_eq!(wrong.raw_response().unwrap().status().as_u16(), 400);
}
