//! Checks one message: `cargo run -p sns --example check TOPIC_ARN < message.json`.
//!
//! Prints what was published when SNS signed it, else says why it is not taken. The message may be of any age, so that
//! one that was kept can be looked at. It fetches the certificate, so it needs the network.

use std::io::{Read, Write};

use sns::{Envelope, MAX_ENVELOPE_BYTES, Settings, Verifier};
use time::OffsetDateTime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let topic = std::env::args().nth(1).ok_or("give the ARN of the topic")?;
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_ENVELOPE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let envelope = Envelope::decode(&bytes)?;
    let verifier = Verifier::new(Settings::new([topic.parse()?]))?;
    verifier.check_topic(&envelope)?;
    verifier.check_signature(&envelope, OffsetDateTime::now_utc()).await?;
    writeln!(std::io::stdout(), "{}", envelope.message())?;
    Ok(())
}
