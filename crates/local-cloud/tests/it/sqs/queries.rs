//! The older query protocol, as botocore before 1.31.81 speaks it: a signed form in, XML out.

use aws_lc_rs::{digest, hmac};
use reqwest::{Method, Response};
use time::{OffsetDateTime, macros::format_description};

use super::{attributes, bodies, create, receive, send};
use crate::world::World;

const XMLNS: &str = "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Sends a request with a Signature Version 4 in its header (IAM user guide, "Create a signed AWS
/// API request"). The query must be in its canonical form.
async fn call(world: &World, method: Method, path: &str, query: &str, body: &str) -> Response {
    let host = world.endpoint.strip_prefix("http://").unwrap();
    let time = OffsetDateTime::now_utc();
    let time = time.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
    let date = &time[..8];
    let head = format!("{method}\n{path}\n{query}\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n");
    let canonical = head + &sha256(body.as_bytes());
    let scope = format!("{date}/us-east-1/sqs/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let start = format!("AWS4{}", world.key.secret).into_bytes();
    let key = [date, "us-east-1", "sqs", "aws4_request"].iter().fold(start, |key, part| hmac256(&key, part));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
        world.key.id,
        hex::encode(hmac256(&key, &to_sign))
    );
    let url = if query.is_empty() { format!("http://{host}{path}") } else { format!("http://{host}{path}?{query}") };
    let request = reqwest::Client::new().request(method, url).header("x-amz-date", time);
    let request = request.header("authorization", authorization).body(body.to_owned());
    request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8").send().await.unwrap()
}

/// The status and the XML of an action, posted to a path.
async fn post(world: &World, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let answer = call(world, Method::POST, path, "", &body).await;
    assert_eq!(answer.headers()["content-type"], "text/xml");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn done(world: &World, path: &str, fields: &[(&str, &str)]) -> String {
    let (status, xml) = post(world, path, fields).await;
    assert_eq!(status, 200, "{xml}");
    xml
}

/// What stands between the tags of the first element of that name.
fn between<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} is not in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[tokio::test]
async fn a_queue_and_a_message_live_through_forms_alone() {
    let world = World::start().await;
    let made = done(
        &world,
        "/",
        &[
            ("Action", "CreateQueue"),
            ("Version", "2012-11-05"),
            ("QueueName", "q"),
            ("Attribute.1.Name", "VisibilityTimeout"),
            ("Attribute.1.Value", "600"),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", "media"),
        ],
    )
    .await;
    assert!(made.contains(&format!("<CreateQueueResponse {XMLNS}><CreateQueueResult><QueueUrl>")), "{made}");
    let url = between(&made, "QueueUrl");
    let path = url.strip_prefix(&world.endpoint).unwrap();
    let shown = done(&world, path, &[("Action", "GetQueueAttributes"), ("AttributeName.1", "VisibilityTimeout")]).await;
    assert!(shown.contains("<Attribute><Name>VisibilityTimeout</Name><Value>600</Value></Attribute>"), "{shown}");
    let tags = done(&world, "/", &[("Action", "ListQueueTags"), ("QueueUrl", url)]).await;
    assert!(tags.contains("<Tag><Key>team</Key><Value>media</Value></Tag>"), "{tags}");
    let sent = done(
        &world,
        path,
        &[
            ("Action", "SendMessage"),
            ("QueueUrl", url),
            ("MessageBody", "<a> & \r\n é"),
            ("DelaySeconds", "0"),
            ("MessageAttribute.1.Name", "kind"),
            ("MessageAttribute.1.Value.DataType", "String"),
            ("MessageAttribute.1.Value.StringValue", "x"),
            ("MessageAttribute.2.Name", "raw"),
            ("MessageAttribute.2.Value.DataType", "Binary"),
            ("MessageAttribute.2.Value.BinaryValue", "AQI="),
            ("MessageSystemAttribute.1.Name", "AWSTraceHeader"),
            ("MessageSystemAttribute.1.Value.DataType", "String"),
            ("MessageSystemAttribute.1.Value.StringValue", "Root=1"),
        ],
    )
    .await;
    let receive = [
        ("Action", "ReceiveMessage"),
        ("MaxNumberOfMessages", "10"),
        ("AttributeName.1", "All"),
        ("MessageAttributeName.1", "All"),
    ];
    let received = done(&world, path, &receive).await;
    assert_eq!(between(&received, "MessageId"), between(&sent, "MessageId"));
    assert_eq!(between(&received, "Body"), "&lt;a&gt; &amp; &#13;\n é");
    assert_eq!(between(&received, "MD5OfBody"), between(&sent, "MD5OfMessageBody"));
    assert_eq!(between(&received, "MD5OfMessageAttributes"), between(&sent, "MD5OfMessageAttributes"));
    assert!(received.contains("<Attribute><Name>AWSTraceHeader</Name><Value>Root=1</Value></Attribute>"), "{received}");
    assert!(received.contains("<BinaryValue>AQI=</BinaryValue>"), "{received}");
    let handle = between(&received, "ReceiptHandle");
    let hide = [("Action", "ChangeMessageVisibility"), ("ReceiptHandle", handle), ("VisibilityTimeout", "30")];
    done(&world, path, &hide).await;
    let deleted = done(&world, path, &[("Action", "DeleteMessage"), ("ReceiptHandle", handle)]).await;
    assert!(deleted.contains(&format!("<DeleteMessageResponse {XMLNS}><ResponseMetadata><RequestId>")), "{deleted}");
    assert_eq!(attributes(&world.sqs(), url).await["ApproximateNumberOfMessagesNotVisible"], "0");
    let empty = done(&world, path, &receive).await;
    assert!(empty.contains("<ReceiveMessageResult></ReceiveMessageResult>"), "{empty}");
    done(&world, path, &[("Action", "DeleteQueue")]).await;
    let listed = done(&world, "/", &[("Action", "ListQueues")]).await;
    assert!(!listed.contains("<QueueUrl>"), "{listed}");
}

#[tokio::test]
async fn batches_are_forms_too() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let path = url.strip_prefix(&world.endpoint).unwrap();
    let sent = done(
        &world,
        path,
        &[
            ("Action", "SendMessageBatch"),
            ("SendMessageBatchRequestEntry.1.Id", "a"),
            ("SendMessageBatchRequestEntry.1.MessageBody", "one"),
            ("SendMessageBatchRequestEntry.2.Id", "b"),
            ("SendMessageBatchRequestEntry.2.MessageBody", "\u{1}"),
            ("SendMessageBatchRequestEntry.10.Id", "c"),
            ("SendMessageBatchRequestEntry.10.MessageBody", "two"),
        ],
    )
    .await;
    let failed = between(&sent, "BatchResultErrorEntry");
    assert_eq!((between(failed, "Id"), between(failed, "SenderFault")), ("b", "true"));
    assert_eq!(sent.matches("<SendMessageBatchResultEntry>").count(), 2);
    let received = receive(&sqs, &url).await;
    assert_eq!(bodies(&received), ["one", "two"]);
    let entry = |n: usize, field: &str| format!("DeleteMessageBatchRequestEntry.{n}.{field}");
    let fields = [
        ("Action".to_owned(), "DeleteMessageBatch"),
        (entry(1, "Id"), "x"),
        (entry(1, "ReceiptHandle"), received[0].receipt_handle().unwrap()),
        (entry(2, "Id"), "y"),
        (entry(2, "ReceiptHandle"), received[1].receipt_handle().unwrap()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let deleted = done(&world, path, &fields).await;
    assert_eq!(deleted.matches("<DeleteMessageBatchResultEntry>").count(), 2);
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "0");
}

#[tokio::test]
async fn errors_are_xml_with_the_codes_of_the_query_protocol() {
    let mut world = World::start().await;
    let (status, xml) = post(&world, "/", &[("Action", "GetQueueUrl"), ("QueueName", "none")]).await;
    assert_eq!(status, 400);
    assert!(xml.contains(&format!("<ErrorResponse {XMLNS}><Error><Type>Sender</Type>")), "{xml}");
    assert_eq!(between(&xml, "Code"), "AWS.SimpleQueueService.NonExistentQueue");
    for (fields, code) in [
        (&[("Action", "MakeTea")][..], "InvalidAction"),
        (&[("QueueName", "q")][..], "MissingAction"),
        (&[("Action", "CreateQueue")][..], "MissingParameter"),
        (&[("Action", "ListQueues"), ("MaxResults", "many")][..], "MalformedInput"),
        (&[("Action", "ListQueues"), ("MaxResults", "0")][..], "InvalidParameterValue"),
    ] {
        let (_, xml) = post(&world, "/", fields).await;
        assert_eq!(between(&xml, "Code"), code, "{xml}");
    }
    assert!(post(&world, "/", &[("Action", "MakeTea")]).await.1.contains("MakeTea"));
    world.key.secret = "other".to_owned();
    let (status, xml) = post(&world, "/", &[("Action", "ListQueues")]).await;
    assert_eq!((status, between(&xml, "Code")), (403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_get_carries_its_parameters_in_the_query() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    send(&sqs, &url, "x").await;
    let path = url.strip_prefix(&world.endpoint).unwrap();
    let query = "Action=ReceiveMessage&Version=2012-11-05&VisibilityTimeout=0";
    let answer = call(&world, Method::GET, path, query, "").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(between(&answer.text().await.unwrap(), "Body"), "x");
}
