//! Answers in XML.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quick_xml::escape::escape;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sqs::error::{Error, Failure};

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// Operations whose answer has no result, not even an empty one (SQS API, WSDL of 2012-11-05).
const WITHOUT_RESULT: [&str; 9] = [
    "AddPermission",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "DeleteQueue",
    "PurgeQueue",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];

/// The answer over HTTP to an operation; without its name, where it could not be read.
pub(in crate::sqs) fn respond(operation: &str, result: Result<Value, Error>) -> Response {
    let id = Uuid::new_v4().to_string();
    let (status, body) = match result {
        Ok(answer) => (StatusCode::OK, success(operation, &answer, &id)),
        Err(error) => failure(&error, &id),
    };
    let body = format!("<?xml version=\"1.0\"?>{body}");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn success(operation: &str, answer: &Value, id: &str) -> String {
    let result = match answer {
        Value::Object(fields) if !WITHOUT_RESULT.contains(&operation) => {
            element(&format!("{operation}Result"), &inside(operation, fields))
        }
        _ => String::new(),
    };
    let metadata = element("ResponseMetadata", &text("RequestId", id));
    format!("<{operation}Response xmlns=\"{NAMESPACE}\">{result}{metadata}</{operation}Response>")
}

fn failure(error: &Error, id: &str) -> (StatusCode, String) {
    let Failure { code, status, fault, message, .. } = error.failure();
    let inner = [text("Type", fault), text("Code", code), text("Message", &message), "<Detail/>".to_owned()].concat();
    let inner = element("Error", &inner) + &text("RequestId", id);
    (status, format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{inner}</ErrorResponse>"))
}

/// The fields of a JSON object as elements: a list is its members one after the other, a map its
/// entries.
fn inside(operation: &str, fields: &Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| match value {
        Value::Array(members) => {
            let name = member_name(operation, name);
            members.iter().map(|member| node(operation, &name, member)).collect()
        }
        Value::Object(entries) if name == "Tags" => pairs(operation, "Tag", "Key", entries),
        Value::Object(entries) if name == "Attributes" => pairs(operation, "Attribute", "Name", entries),
        Value::Object(entries) if name == "MessageAttributes" => pairs(operation, "MessageAttribute", "Name", entries),
        value => node(operation, name, value),
    };
    fields.iter().map(field).collect()
}

/// What the members of a list are called, which JSON does not say.
fn member_name(operation: &str, list: &str) -> String {
    match list {
        "Failed" => "BatchResultErrorEntry".to_owned(),
        "Successful" | "Results" => format!("{operation}ResultEntry"),
        "queueUrls" | "QueueUrls" => "QueueUrl".to_owned(),
        // `Messages`
        other => other.trim_end_matches('s').to_owned(),
    }
}

fn pairs(operation: &str, name: &str, key: &str, entries: &Map<String, Value>) -> String {
    let pair =
        |(entry, value): (&String, &Value)| element(name, &(text(key, entry) + &node(operation, "Value", value)));
    entries.iter().map(pair).collect()
}

fn node(operation: &str, name: &str, value: &Value) -> String {
    match value {
        Value::Object(fields) => element(name, &inside(operation, fields)),
        Value::String(value) => text(name, value),
        other => text(name, &other.to_string()),
    }
}

/// `<name>text</name>`, escaped; a carriage return too, which a parser would read as a line feed
/// (XML 1.0, 2.11).
fn text(name: &str, text: &str) -> String {
    element(name, &escape(crate::xml::legal(text)))
}

/// `<name>…</name>` around what is XML already.
fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(operation: &str, answer: &Value) -> String {
        let xml = success(operation, answer, "id");
        let start = format!("<{operation}Response xmlns=\"{NAMESPACE}\">");
        let end = format!("<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></{operation}Response>");
        xml.strip_prefix(&start).unwrap().strip_suffix(&end).unwrap().to_owned()
    }

    #[test]
    fn answers_have_the_documented_elements() {
        assert_eq!(result("DeleteMessage", &json!({})), "");
        assert_eq!(result("ListQueues", &json!({})), "<ListQueuesResult></ListQueuesResult>");
        assert_eq!(
            result("ListQueues", &json!({ "QueueUrls": ["a", "b"] })),
            "<ListQueuesResult><QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl></ListQueuesResult>"
        );
        assert_eq!(
            result("ListQueueTags", &json!({ "Tags": { "k": "<v>" } })),
            "<ListQueueTagsResult><Tag><Key>k</Key><Value>&lt;v&gt;</Value></Tag></ListQueueTagsResult>"
        );
        assert_eq!(
            result("ListMessageMoveTasks", &json!({ "Results": [{ "StartedTimestamp": 5 }] })),
            "<ListMessageMoveTasksResult><ListMessageMoveTasksResultEntry><StartedTimestamp>5</StartedTimestamp>\
             </ListMessageMoveTasksResultEntry></ListMessageMoveTasksResult>"
        );
        let batch = json!({ "Successful": [{ "Id": "a" }], "Failed": [{ "Id": "b", "SenderFault": true }] });
        assert_eq!(
            result("DeleteMessageBatch", &batch),
            "<DeleteMessageBatchResult><BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault>\
             </BatchResultErrorEntry><DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>\
             </DeleteMessageBatchResult>"
        );
    }

    #[test]
    fn a_message_has_its_attributes_and_its_line_ends() {
        let message = json!({
            "Body": "a\r\n&",
            "MessageAttributes": { "n": { "DataType": "String", "StringValue": "v" } },
        });
        assert_eq!(
            result("ReceiveMessage", &json!({ "Messages": [message] })),
            "<ReceiveMessageResult><Message><Body>a&#13;\n&amp;</Body><MessageAttribute><Name>n</Name><Value>\
             <DataType>String</DataType><StringValue>v</StringValue></Value></MessageAttribute></Message>\
             </ReceiveMessageResult>"
        );
    }
}
