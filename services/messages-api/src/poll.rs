//! Word of changes that other processes made.

use std::time::Duration;

use common::UserId;
use tokio_util::sync::CancellationToken;

use crate::{
    hub::Hub,
    store::{MAX_OWNERS, Store},
};

/// Looks at regular intervals where the notices of everyone connected here stand, until told to stop.
/// A change made in this process is published at once and does not wait for this.
pub async fn run(store: Store, hub: Hub, interval: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    let mut away = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(interval) => {}
        }
        let looked = look(&store, &hub, &hub.owners()).await;
        match &looked {
            Err(error) if !away => {
                tracing::warn!(%error, "cannot look for new notices; streams wait until the database answers");
            }
            Ok(()) if away => tracing::info!("the database answers again"),
            _ => {}
        }
        away = looked.is_err();
    }
}

async fn look(store: &Store, hub: &Hub, owners: &[UserId]) -> Result<(), sqlx::Error> {
    for some in owners.chunks(MAX_OWNERS) {
        for (owner, head) in store.heads(some).await? {
            hub.publish(&owner, head);
        }
    }
    Ok(())
}
