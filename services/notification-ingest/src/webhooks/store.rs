//! Webhooks, their deliveries and the attempts in the database.
//!
//! Who changes a webhook's deliveries, but for adding one, takes the webhook's row first: the row is the lock.

pub mod deliveries;
pub mod hooks;
pub mod sweep;
pub mod turns;

#[cfg(test)]
mod tests;

use sqlx::AnyConnection;

/// Sets a webhook's `due_at` to that of its earliest delivery. The caller's transaction holds the webhook's row: whoever
/// adds a delivery sets `due_at` after that, so no delivery is overlooked.
async fn reschedule(connection: &mut AnyConnection, webhook: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET due_at = (SELECT MIN(due_at) FROM deliveries WHERE deliveries.webhook_id = webhooks.id)
         WHERE id = $1 AND enabled = 1",
    )
    .bind(webhook)
    .execute(connection)
    .await
    .map(|_| ())
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
