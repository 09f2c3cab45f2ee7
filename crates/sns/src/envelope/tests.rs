use serde_json::{Value, json};

use super::*;

fn notification() -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Subject": "My First Message",
        "Message": "Hello\nworld!",
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE=",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0a.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {"a": {"Type": "String", "Value": "b"}}
    })
}

fn confirmation(kind: &str) -> Value {
    json!({
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Message": "You have chosen to subscribe",
        "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription",
        "Timestamp": "2012-04-26T20:45:04.751Z"
    })
}

fn decode(value: &Value) -> Result<Envelope, DecodeError> {
    Envelope::decode(value.to_string().as_bytes())
}

#[test]
fn the_text_to_sign_of_a_notification_has_a_subject_only_when_there_is_one() {
    let mut value = notification();
    let with = "Message\nHello\nworld!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n\
                Timestamp\n2012-05-02T00:54:06.655Z\nTopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\n\
                Type\nNotification\n";
    assert_eq!(decode(&value).unwrap().string_to_sign(), with);
    let without = with.replace("Subject\nMy First Message\n", "");
    value["Subject"] = Value::Null;
    assert_eq!(decode(&value).unwrap().string_to_sign(), without);
    value.as_object_mut().unwrap().remove("Subject");
    assert_eq!(decode(&value).unwrap().string_to_sign(), without);
}

#[test]
fn the_text_to_sign_of_a_confirmation_has_token_and_url() {
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        let expected = format!(
            "Message\nYou have chosen to subscribe\nMessageId\n165545c9-2a5c-472c-8df2-7ff2be2b3b1b\n\
             SubscribeURL\nhttps://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription\n\
             Timestamp\n2012-04-26T20:45:04.751Z\nToken\n2336412f37\n\
             TopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\n{kind}\n"
        );
        assert_eq!(decode(&confirmation(kind)).unwrap().string_to_sign(), expected);
    }
}

#[test]
fn members_that_could_pass_for_several_are_refused() {
    for name in ["MessageId", "TopicArn", "Subject", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"] {
        let mut value = notification();
        let text = value[name].as_str().unwrap().to_owned();
        value[name] = json!(format!("{text}\nType"));
        assert!(matches!(decode(&value), Err(DecodeError::Member(member)) if member == name), "{name}");
    }
    for name in ["Token", "SubscribeURL"] {
        let mut value = confirmation("SubscriptionConfirmation");
        value[name] = json!("a\nb");
        assert!(matches!(decode(&value), Err(DecodeError::Member(member)) if member == name), "{name}");
    }
}

#[test]
fn what_is_missing_double_or_too_long_is_refused() {
    for name in ["Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature"] {
        let mut value = notification();
        value.as_object_mut().unwrap().remove(name);
        assert!(decode(&value).is_err(), "without {name}");
    }
    let twice = notification().to_string().replacen('{', r#"{"TopicArn":"arn:aws:sns:us-west-2:1:Other","#, 1);
    assert!(matches!(Envelope::decode(twice.as_bytes()), Err(DecodeError::Json(_))));
    let mut value = notification();
    value["Subject"] = json!("x".repeat(MAX_LINE + 1));
    assert!(matches!(decode(&value), Err(DecodeError::Member("Subject"))));
    value["Message"] = json!("x".repeat(MAX_ENVELOPE_BYTES));
    assert!(matches!(decode(&value), Err(DecodeError::TooLong)));
    for bytes in [&b""[..], b"null", b"[]", b"\xff", b"{", &[b'['; 100_000]] {
        assert!(matches!(Envelope::decode(bytes), Err(DecodeError::Json(_))));
    }
    let mut value = notification();
    value["Type"] = json!("Other");
    assert!(matches!(decode(&value), Err(DecodeError::Member("Type"))));
    value = notification();
    value["Timestamp"] = json!("yesterday");
    assert!(matches!(decode(&value), Err(DecodeError::Member("Timestamp"))));
}
