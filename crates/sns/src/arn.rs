//! The name of a topic.

use std::{fmt, str::FromStr};

use crate::Region;

/// The ARN of an SNS topic: `arn:aws:sns:eu-west-1:123456789012:orders`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicArn {
    text: String,
    region: Region,
}

/// The text is no ARN of an SNS topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of an SNS topic: use arn:aws:sns:<region>:<account>:<name>")]
pub struct InvalidTopicArn;

impl TopicArn {
    /// The ARN as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The region that the topic lies in; its messages are signed there.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }
}

impl FromStr for TopicArn {
    type Err = InvalidTopicArn;

    fn from_str(text: &str) -> Result<Self, InvalidTopicArn> {
        let parts: Vec<&str> = text.split(':').collect();
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        // A topic's name has up to 256 letters, digits, `-` and `_`, and a FIFO topic's ends in `.fifo` (SNS API, CreateTopic).
        match parts[..] {
            ["arn", partition, "sns", region, account, name]
                if [partition, account, name].into_iter().all(word) && name.len() <= 256 =>
            {
                let region = region.parse().map_err(|_| InvalidTopicArn)?;
                Ok(Self { text: text.to_owned(), region })
            }
            _ => Err(InvalidTopicArn),
        }
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_topic_has_such_an_arn() {
        let arn: TopicArn = "arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo".parse().unwrap();
        assert_eq!(arn.region().as_str(), "cn-north-1");
        for text in [
            "",
            "orders",
            "arn:aws:sqs:us-east-1:123456789012:orders",
            "arn:aws:sns:us-east-1:123456789012:",
            "arn:aws:sns:us-east-1:123456789012:orders:6b0e71bd-7e97-4d97-80ce-4a0994e55286",
            "arn:aws:sns:us-east-1:123456789012:orders\n",
            "arn:aws:sns:evil.example/:123456789012:orders",
        ] {
            assert_eq!(text.parse::<TopicArn>(), Err(InvalidTopicArn), "{text:?}");
        }
    }
}
