//! `/v1/webhooks/{id}/deliveries`, and what makes one: tests and replays.

use axum::{
    Json,
    extract::{Query, State},
};
use common::{DeliveryId, Timestamp};
use http::StatusCode;
use runtime::{Page, PageParams, Problem};
use serde::Deserialize;

use super::{
    Api, Asked,
    view::{DeliveryView, WholeDelivery},
};
use crate::webhooks::{
    kind,
    store::deliveries::{self, New},
};

/// The query of a list.
#[derive(Debug, Deserialize)]
pub struct Params {
    state: Option<String>,
    #[serde(flatten)]
    page: PageParams<DeliveryId>,
}

/// The deliveries of a webhook, newest first.
pub async fn list(
    State(api): State<Api>,
    asked: Asked,
    Query(Params { state, page }): Query<Params>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    if !matches!(state.as_deref(), None | Some("pending" | "delivered" | "failed")) {
        return Err(Problem::bad_request("state must be pending, delivered or failed"));
    }
    let mut connection = api.database.pool().acquire().await?;
    let hook = asked.webhook(&mut connection).await?;
    let limit = page.limit.probe();
    let found = deliveries::list(&mut connection, hook.id, state.as_deref(), page.cursor, limit).await?;
    let views = found.into_iter().map(DeliveryView::from).collect();
    Ok(Json(Page::new(views, page.limit, |delivery: &DeliveryView| delivery.id)))
}

/// One delivery, with what is posted and the newest attempts.
pub async fn show(State(api): State<Api>, asked: Asked) -> Result<Json<WholeDelivery>, Problem> {
    let mut connection = api.database.pool().acquire().await?;
    let hook = asked.webhook(&mut connection).await?;
    let found = deliveries::find(&mut connection, hook.id, asked.delivery()?).await?;
    let (delivery, body) = found.ok_or_else(|| Problem::not_found("delivery"))?;
    let log = deliveries::tried(&mut connection, delivery.id).await?;
    Ok(Json(WholeDelivery::new(delivery, body, log)?))
}

/// Has a delivery made again, under the same `webhook-id`: a receiver that has it already knows it.
pub async fn replay(State(api): State<Api>, asked: Asked) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let (id, now) = (asked.delivery()?, Timestamp::now());
    let mut transaction = api.database.begin().await?;
    let hook = asked.webhook(&mut transaction).await?;
    if deliveries::find(&mut transaction, hook.id, id).await?.is_none() {
        return Err(Problem::not_found("delivery"));
    }
    if !deliveries::wake(&mut transaction, hook.id, now).await? {
        return Err(switched_off());
    }
    deliveries::replay(&mut transaction, hook.id, id, now).await?;
    let found = deliveries::find(&mut transaction, hook.id, id).await?;
    transaction.commit().await?;
    api.wake.wake();
    let (delivery, _) = found.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Sends a test: one attempt, which the log shows. One at a time.
pub async fn test(State(api): State<Api>, asked: Asked) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let now = Timestamp::now();
    let mut transaction = api.database.begin().await?;
    let hook = asked.webhook(&mut transaction).await?;
    if !deliveries::wake(&mut transaction, hook.id, now).await? {
        return Err(switched_off());
    }
    if deliveries::tests_pending(&mut transaction, hook.id).await? {
        let detail = "A test is under way already. Its delivery shows what came of it.";
        return Err(Problem::new(StatusCode::CONFLICT, "test-pending", detail));
    }
    let body = kind::test_body(hook.id, now);
    let result = format!("test/{}", DeliveryId::generate());
    let new = New { webhook: hook.id, result: &result, event: kind::TEST, body: &body, give_up_at: Some(now) };
    let added = deliveries::add(&mut transaction, new, now).await?;
    let id = added.ok_or_else(|| anyhow::anyhow!("a new test has an old name"))?;
    let found = deliveries::find(&mut transaction, hook.id, id).await?;
    transaction.commit().await?;
    api.wake.wake();
    let (delivery, _) = found.ok_or_else(|| anyhow::anyhow!("a delivery that was just made is not there"))?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

fn switched_off() -> Problem {
    let detail = "The webhook is switched off. Switch it on with PATCH {\"enabled\": true} first.";
    Problem::new(StatusCode::CONFLICT, "webhook-disabled", detail)
}
