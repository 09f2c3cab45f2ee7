//! Requests that nobody means well: none may be answered with a 500, panic, or leave the data directory.

use std::{
    fs::File,
    path::Path,
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::crash::Process;

const KEY: (&str, &str) = ("test-key", "test-secret");
/// How long one answer may take. A long poll of 20 seconds is within what a fuzzer may ask for.
const PATIENCE: Duration = Duration::from_secs(40);
const AT_ONCE: usize = 16;

/// A request that works, or nearly so, to be spoiled.
struct Seed {
    service: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

const fn s3(method: &'static str, path: &'static str, body: &'static str) -> Seed {
    Seed { service: "s3", method, path, headers: &[], body }
}

const fn json(headers: &'static [(&'static str, &'static str)], body: &'static str) -> Seed {
    Seed { service: "sqs", method: "POST", path: "/", headers, body }
}

const fn form(service: &'static str, body: &'static str) -> Seed {
    Seed { service, method: "POST", path: "/", headers: &[FORM], body }
}

const SEEDS: &[Seed] = &[
    s3("PUT", "/a-bucket/key%20one", "content"),
    s3("GET", "/a-bucket/key%20one?response-content-type=a%2Fb", ""),
    Seed { service: "s3", method: "GET", path: "/a-bucket/k", headers: &[("range", "bytes=0-3")], body: "" },
    s3("GET", "/a-bucket?list-type=2&prefix=a&delimiter=%2F&max-keys=3&continuation-token=abc", ""),
    s3("GET", "/a-bucket?uploads&key-marker=a", ""),
    s3("POST", "/a-bucket/k?uploads", ""),
    s3("PUT", "/a-bucket/k?partNumber=1&uploadId=abc", "content"),
    s3(
        "POST",
        "/a-bucket/k?uploadId=abc",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part></CompleteMultipartUpload>",
    ),
    s3("POST", "/a-bucket?delete", "<Delete><Object><Key>k</Key></Object><Quiet>true</Quiet></Delete>"),
    s3(
        "PUT",
        "/a-bucket?cors",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    ),
    s3(
        "PUT",
        "/a-bucket?notification",
        "<NotificationConfiguration><QueueConfiguration><Id>a</Id><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
    ),
    Seed {
        service: "s3",
        method: "PUT",
        path: "/a-bucket/copy",
        headers: &[("x-amz-copy-source", "/a-bucket/key%20one"), ("x-amz-metadata-directive", "REPLACE")],
        body: "",
    },
    json(&[JSON, ("x-amz-target", "AmazonSQS.CreateQueue")], r#"{"QueueName":"q2","Attributes":{"DelaySeconds":"5"}}"#),
    json(
        &[JSON, ("x-amz-target", "AmazonSQS.SendMessage")],
        r#"{"QueueUrl":"http://h/000000000000/q","MessageBody":"b","DelaySeconds":1,"MessageAttributes":{"a":{"DataType":"Number","StringValue":"1"}}}"#,
    ),
    json(
        &[JSON, ("x-amz-target", "AmazonSQS.SendMessageBatch")],
        r#"{"QueueUrl":"http://h/000000000000/q","Entries":[{"Id":"a","MessageBody":"b"},{"Id":"b","MessageBody":"c"}]}"#,
    ),
    json(
        &[JSON, ("x-amz-target", "AmazonSQS.ReceiveMessage")],
        r#"{"QueueUrl":"http://h/000000000000/q","MaxNumberOfMessages":10,"VisibilityTimeout":0,"AttributeNames":["All"]}"#,
    ),
    json(
        &[JSON, ("x-amz-target", "AmazonSQS.DeleteMessage")],
        r#"{"QueueUrl":"http://h/000000000000/q","ReceiptHandle":"AQEB"}"#,
    ),
    json(
        &[JSON, ("x-amz-target", "AmazonSQS.SetQueueAttributes")],
        r#"{"QueueUrl":"http://h/000000000000/q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:q\",\"maxReceiveCount\":3}","Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"sqs:*\",\"Resource\":\"*\"}]}"}}"#,
    ),
    form("sqs", "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fq&MessageBody=b"),
    form(
        "sns",
        "Action=CreateTopic&Version=2010-03-31&Name=topic&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=d",
    ),
    form(
        "sns",
        "Action=Subscribe&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At&Protocol=sqs&Endpoint=arn%3Aaws%3Asqs%3Aus-east-1%3A000000000000%3Aq&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value=%7B%22a%22%3A%5B%22b%22%2C%7B%22numeric%22%3A%5B%22%3E%22%2C1%5D%7D%5D%7D",
    ),
    form(
        "sns",
        "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At&Message=m&Subject=s&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=b",
    ),
    form("sts", "Action=GetCallerIdentity&Version=2011-06-15"),
];

/// Pieces that have broken parsers before.
const PIECES: &[&str] = &[
    "%00",
    "%",
    "%zz",
    "%ff%fe",
    "../",
    "..%2F..%2F",
    "//",
    "\u{0}",
    "\r\n",
    "é",
    "😀",
    "\u{202E}",
    "-1",
    "0",
    "99999999999999999999",
    "1e309",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[[[[[",
    "{\"a\":",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "<",
    ">",
    "</",
    "<a>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "&#0;",
    "<![CDATA[",
    "]]>",
    ";",
    "=",
    "&",
    "*",
    "${}",
    "arn:aws:sqs:us-east-1:000000000000:",
    "s3:ObjectCreated:*",
    "bytes=-0",
    "=?utf-8?q?a?=",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth, The Art of Computer Programming, 3.3.4 (MMIX).
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn spoil(&mut self, text: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(text.len() + 1);
            match self.below(6) {
                0 => text.truncate(at),
                1 if at < text.len() => text[at] = self.below(256) as u8,
                2 => {
                    let end = (at + self.below(20)).min(text.len());
                    text.drain(at.min(end)..end);
                }
                3 => {
                    let end = (at + self.below(40)).min(text.len());
                    let piece = text[at.min(end)..end].repeat(1 + self.below(300));
                    text.splice(at..at, piece);
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    text.splice(at..at, piece.bytes());
                }
            }
        }
    }

    /// One spoiled request, signed when it can be.
    fn request(&mut self, endpoint: &str) -> Vec<u8> {
        let seed = &SEEDS[self.below(SEEDS.len())];
        let (mut path, mut body) = (seed.path.as_bytes().to_vec(), seed.body.as_bytes().to_vec());
        let mut headers: Vec<(String, Vec<u8>)> =
            seed.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        match self.below(4) {
            0 => self.spoil(&mut path),
            1 if !headers.is_empty() => {
                let index = self.below(headers.len());
                self.spoil(&mut headers[index].1);
            }
            _ if !body.is_empty() => self.spoil(&mut body),
            _ => self.spoil(&mut path),
        }
        let signed = signature(seed, endpoint, &path, &headers, &body);
        let mut request = format!("{} ", seed.method).into_bytes();
        request.extend(&path);
        request.extend(format!(" HTTP/1.1\r\nhost: {endpoint}\r\nconnection: close\r\n").bytes());
        headers.extend(signed);
        for (name, value) in headers {
            request.extend(name.bytes());
            request.extend(b": ");
            request.extend(value);
            request.extend(b"\r\n");
        }
        // Now and then the length is a lie.
        let length = if self.below(20) == 0 { body.len() / 2 } else { body.len() };
        request.extend(format!("content-length: {length}\r\n\r\n").bytes());
        request.extend(&body);
        request
    }
}

/// The headers that sign it; none when the signer itself cannot read it.
fn signature(
    seed: &Seed,
    endpoint: &str,
    path: &[u8],
    headers: &[(String, Vec<u8>)],
    body: &[u8],
) -> Vec<(String, Vec<u8>)> {
    let Ok(path) = std::str::from_utf8(path) else { return Vec::new() };
    let texts: Option<Vec<(&str, &str)>> = headers
        .iter()
        .map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
        .chain([Some(("host", endpoint))])
        .collect();
    let Some(texts) = texts else { return Vec::new() };
    let identity = Credentials::new(KEY.0, KEY.1, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if seed.service == "s3" {
        settings.percent_encoding_mode = aws_sigv4::http_request::PercentEncodingMode::Single;
        settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::XAmzSha256;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(seed.service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://{endpoint}{path}");
    let Ok(request) = SignableRequest::new(seed.method, url, texts.into_iter(), SignableBody::Bytes(body)) else {
        return Vec::new();
    };
    let Ok(signed) = sign(request, &params) else { return Vec::new() };
    let (instructions, _) = signed.into_parts();
    instructions.headers().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect()
}

/// The status of the answer; `None` when the connection was closed without one, which is an answer to
/// what is no HTTP.
async fn ask(endpoint: &str, request: &[u8]) -> Option<u16> {
    let exchange = async {
        let mut stream = TcpStream::connect(endpoint).await.unwrap();
        // It may be closed before all of it was read.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("no end of {}", show(request)));
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

fn show(request: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&request[..request.len().min(3000)]).into_owned();
    shown.replace('\r', "\\r")
}

async fn prepare(process: &Process) {
    process.s3().create_bucket().bucket("a-bucket").send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&process.config());
    sqs.create_queue().queue_name("q").send().await.unwrap();
    aws_sdk_sns::Client::new(&process.config()).create_topic().name("t").send().await.unwrap();
}

/// All files below a directory, by their names.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        found.push(entry.unwrap().file_name().to_string_lossy().into_owned());
    }
    found.sort();
    found
}

async fn attack(until: impl Fn(usize) -> bool) {
    let outer = tempfile::tempdir().unwrap();
    let (data, log) = (outer.path().join("data"), outer.path().join("log"));
    let process = Process::start_with(&data, Stdio::from(File::create(&log).unwrap()));
    prepare(&process).await;
    let endpoint = process.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut dice = Dice(7);
    let (mut asked, mut answers) = (0, std::collections::BTreeMap::<Option<u16>, usize>::new());
    while !until(asked) {
        let requests: Vec<Vec<u8>> = (0..AT_ONCE).map(|_| dice.request(&endpoint)).collect();
        let statuses = futures::future::join_all(requests.iter().map(|request| ask(&endpoint, request))).await;
        for (request, status) in requests.iter().zip(statuses) {
            assert_ne!(status, Some(500), "{}\n{}", show(request), std::fs::read_to_string(&log).unwrap());
            *answers.entry(status).or_default() += 1;
        }
        asked += AT_ONCE;
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(files(outer.path()), ["data", "log"], "something was written beside the data directory");
    assert!(
        answers.get(&Some(200)).is_some_and(|count| *count > asked / 50),
        "hardly anything was let in: {answers:?}"
    );
    // It works as before.
    process.s3().put_object().bucket("a-bucket").key("after").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoiled_requests_are_refused_and_no_more() {
    attack(|asked| asked >= 3000).await;
}

/// The same for longer: `cargo test -p local-cloud -- --ignored ten_minutes`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes ten minutes"]
async fn ten_minutes_of_spoiled_requests() {
    let start = Instant::now();
    attack(|_| start.elapsed() > Duration::from_secs(600)).await;
}
