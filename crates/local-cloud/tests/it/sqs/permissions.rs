use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

use super::{attributes, code, create};
use crate::world::World;

#[tokio::test]
async fn permissions_are_statements_of_the_policy_by_their_labels() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let add = |label: &str, account: &str, action: &str| {
        sqs.add_permission().queue_url(&url).label(label).aws_account_ids(account).actions(action).send()
    };
    let remove = |label: &str| sqs.remove_permission().queue_url(&url).label(label).send();
    add("one", "111111111111", "SendMessage").await.unwrap();
    let two = sqs.add_permission().queue_url(&url).label("two").actions("ReceiveMessage").actions("DeleteMessage");
    two.aws_account_ids("111111111111").aws_account_ids("222222222222").send().await.unwrap();
    let policy: Value = serde_json::from_str(&attributes(&sqs, &url).await["Policy"]).unwrap();
    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    let expected = json!([
        {
            "Sid": "one", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
            "Action": "SQS:SendMessage", "Resource": arn,
        },
        {
            "Sid": "two", "Effect": "Allow",
            "Principal": { "AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"] },
            "Action": ["SQS:ReceiveMessage", "SQS:DeleteMessage"], "Resource": arn,
        },
    ]);
    assert_eq!(policy["Statement"], expected);
    for (label, account, action) in [
        ("one", "111111111111", "SendMessage"),
        ("a b", "111111111111", "SendMessage"),
        ("three", "11", "SendMessage"),
        ("three", "111111111111", "DeleteQueue"),
    ] {
        assert_eq!(code(add(label, account, action).await), "InvalidParameterValue", "{label} {account} {action}");
    }
    remove("one").await.unwrap();
    assert_eq!(code(remove("one").await), "InvalidParameterValue");
    remove("two").await.unwrap();
    assert!(!attributes(&sqs, &url).await.contains_key("Policy"));
}

#[tokio::test]
async fn a_permission_leaves_the_rest_of_a_policy_alone() {
    let world = World::start().await;
    let sqs = world.sqs();
    let own = json!({
        "Version": "2012-10-17",
        "Statement": { "Sid": "own", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" },
    });
    let url = create(&sqs, "q", &[(Name::Policy, &own.to_string())]).await;
    let add = sqs.add_permission().queue_url(&url).label("one").aws_account_ids("111111111111").actions("*");
    add.send().await.unwrap();
    sqs.remove_permission().queue_url(&url).label("one").send().await.unwrap();
    let policy: Value = serde_json::from_str(&attributes(&sqs, &url).await["Policy"]).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    assert_eq!(policy["Statement"], json!([own["Statement"]]));
}
