//! A message on its way to subscriptions.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Sns,
    envelope::{Message, Signed},
    error::Error,
    protocol::PerProtocol,
    signer::{Signer, Version},
};
use crate::{Context, sqs::Attributes};

/// A message and its signature, which is made only when an envelope is wanted.
#[derive(Serialize, Deserialize)]
pub(super) struct Publication {
    pub(super) message: Message,
    signed: Option<Signed>,
    /// See [`Self::json`].
    #[serde(skip)]
    json: OnceLock<Value>,
}

/// What one subscriber gets.
pub(super) struct Content {
    pub(super) body: String,
    pub(super) attributes: Attributes,
}

impl Publication {
    pub(super) fn unsigned(message: Message) -> Self {
        Self { message, signed: None, json: OnceLock::new() }
    }

    /// The body as filters on bodies see it; null when it is no JSON. It is read once for all subscriptions:
    /// those who ask hold the one writing thread.
    pub(super) fn json(&self) -> &Value {
        self.json.get_or_init(|| serde_json::from_str(&self.message.text).unwrap_or_default())
    }

    pub(super) fn is_signed(&self) -> bool {
        self.signed.is_some()
    }

    /// Raw content is the bare message with its attributes; an envelope has them inside (SNS developer
    /// guide, "Amazon SNS raw message delivery").
    pub(super) fn content(&self, context: &Context, subscription: &str, is_raw: bool) -> Result<Content, Error> {
        if is_raw {
            return Ok(Content { body: self.message.text.clone(), attributes: self.message.attributes.clone() });
        }
        let signed = self.signed.as_ref().ok_or(Error::Unsigned)?;
        let body = self.message.envelope(signed, &context.public_endpoint, subscription)?;
        Ok(Content { body, attributes: Attributes::new() })
    }
}

impl Sns {
    /// Signs outside of the store, whose one writing thread all others need.
    pub(super) async fn sign(
        &self,
        version: Version,
        messages: Vec<PerProtocol<Message>>,
    ) -> Result<Vec<PerProtocol<Publication>>, Error> {
        let signer = self.signer().await?.clone();
        let sign_all = move || {
            let sign_one = |message| sign(&signer, version, message);
            messages.into_iter().map(|message| message.try_map(sign_one)).collect()
        };
        // About a millisecond each.
        let signing = tokio::task::spawn_blocking(sign_all);
        signing.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    pub(super) async fn sign_one(&self, version: Version, message: Message) -> Result<Publication, Error> {
        let signer = self.signer().await?.clone();
        let signing = tokio::task::spawn_blocking(move || sign(&signer, version, message));
        signing.await.map_err(|error| Error::Internal(error.to_string()))?
    }
}

fn sign(signer: &Signer, version: Version, message: Message) -> Result<Publication, Error> {
    let signature = signer.sign(version, &message.string_to_sign()).map_err(Error::Signer)?;
    let certificate_path = signer.certificate_path().to_owned();
    let signed = Signed { version: version.text().to_owned(), signature, certificate_path };
    Ok(Publication { message, signed: Some(signed), json: OnceLock::new() })
}
