//! `POST /v1/webhooks/{id}/rotate-secret`.

use axum::{Json, extract::State};
use common::Timestamp;
use runtime::Problem;
use serde::Serialize;

use super::{Api, Asked};
use crate::webhooks::{retry::later, secret::Secret, store::hooks};

/// A new secret. It is shown here and nowhere else.
#[derive(Debug, Serialize)]
pub struct Rotated {
    secret: String,
    old_secret_expires_at: Timestamp,
}

/// Gives a webhook a new secret; the one that it had signs beside it for a while. Of two rotations in that while only
/// the last one's old secret goes on signing.
pub async fn rotate(State(api): State<Api>, asked: Asked) -> Result<Json<Rotated>, Problem> {
    let (secret, now) = (Secret::generate()?, Timestamp::now());
    let until = later(now, api.overlap);
    let mut transaction = api.database.begin().await?;
    let hook = asked.webhook(&mut transaction).await?;
    hooks::rotate(&mut transaction, hook.id, &secret, until, now).await?;
    transaction.commit().await?;
    Ok(Json(Rotated { secret: secret.expose().to_owned(), old_secret_expires_at: until }))
}
