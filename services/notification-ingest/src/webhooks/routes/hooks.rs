//! `/v1/webhooks` and `/v1/webhooks/{id}`.

use axum::{
    Json,
    extract::{Query, State},
    response::IntoResponse,
};
use common::{Timestamp, WebhookId};
use http::{StatusCode, header};
use runtime::{Operator, Page, PageParams, Problem, User};
use serde::{Deserialize, Serialize};

use super::{Api, Asked, view::WebhookView};
use crate::webhooks::{
    kind::Kinds,
    secret::Secret,
    store::hooks::{self, Change, Scope, Webhook},
};

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 500;

/// What a webhook is to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    url: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    events: Kinds,
    #[serde(default)]
    all_users: bool,
}

/// What of it is to change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    url: Option<String>,
    description: Option<String>,
    events: Option<Kinds>,
    enabled: Option<bool>,
}

/// The query of a list.
#[derive(Debug, Deserialize)]
pub struct Params {
    #[serde(default)]
    all_users: Option<String>,
    #[serde(flatten)]
    page: PageParams<WebhookId>,
}

/// A webhook that was just made. Its secret is shown here and nowhere else.
#[derive(Debug, Serialize)]
struct Created {
    #[serde(flatten)]
    webhook: WebhookView,
    secret: String,
}

/// Makes a webhook.
pub async fn create(
    State(api): State<Api>,
    User(owner): User,
    operator: Option<Operator>,
    Json(wish): Json<Create>,
) -> Result<impl IntoResponse, Problem> {
    if wish.all_users && operator.is_none() {
        return Err(operators_only());
    }
    check_description(&wish.description)?;
    let (secret, now) = (Secret::generate()?, Timestamp::now());
    let hook = Webhook {
        id: WebhookId::generate(),
        owner,
        all_users: wish.all_users,
        url: target(&api, &wish.url).await?,
        description: wish.description,
        events: wish.events,
        enabled: true,
        disabled_reason: None,
        disabled_at: None,
        failing_since: None,
        old_secret_until: None,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = api.database.begin().await?;
    if !hooks::add(&mut transaction, &hook, &secret, api.most).await? {
        let detail = format!("You have {} webhooks already, which is the most. Delete one first.", api.most);
        return Err(Problem::new(StatusCode::CONFLICT, "too-many-webhooks", detail));
    }
    transaction.commit().await?;
    tracing::info!(webhook = %hook.id, all_users = hook.all_users, "webhook made");
    let location = format!("/v1/webhooks/{}", hook.id);
    let created = Created { webhook: hook.into(), secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)))
}

/// The caller's webhooks; for an operator who asks, those for all users, whoever made them.
pub async fn list(
    State(api): State<Api>,
    User(owner): User,
    operator: Option<Operator>,
    Query(Params { all_users, page }): Query<Params>,
) -> Result<Json<Page<WebhookView>>, Problem> {
    let scope = match all_users.as_deref() {
        None | Some("false") => Scope::Of(&owner),
        Some("true") if operator.is_some() => Scope::AllUsers,
        Some("true") => return Err(operators_only()),
        Some(_) => return Err(Problem::bad_request("all_users must be true or false")),
    };
    let mut connection = api.database.pool().acquire().await?;
    let hooks = hooks::list(&mut connection, scope, page.cursor, page.limit.probe()).await?;
    let views = hooks.into_iter().map(WebhookView::from).collect();
    Ok(Json(Page::new(views, page.limit, |hook: &WebhookView| hook.id)))
}

/// One webhook.
pub async fn show(State(api): State<Api>, asked: Asked) -> Result<Json<WebhookView>, Problem> {
    let mut connection = api.database.pool().acquire().await?;
    Ok(Json(asked.webhook(&mut connection).await?.into()))
}

/// Changes what is named, and leaves the rest.
pub async fn update(
    State(api): State<Api>,
    asked: Asked,
    Json(wish): Json<Update>,
) -> Result<Json<WebhookView>, Problem> {
    // Before anything is looked at outside: another user's webhook is 404.
    let mut connection = api.database.pool().acquire().await?;
    asked.webhook(&mut connection).await?;
    drop(connection);
    check_description(wish.description.as_deref().unwrap_or_default())?;
    let url = match &wish.url {
        Some(url) => Some(target(&api, url).await?),
        None => None,
    };
    let change = Change { url, description: wish.description, events: wish.events, enabled: wish.enabled };
    let mut transaction = api.database.begin().await?;
    hooks::change(&mut transaction, asked.id, &change, Timestamp::now()).await?;
    let hook = asked.webhook(&mut transaction).await?;
    transaction.commit().await?;
    api.wake.wake();
    Ok(Json(hook.into()))
}

/// Deletes a webhook with its log. A post that is under way may still arrive.
pub async fn delete(State(api): State<Api>, asked: Asked) -> Result<StatusCode, Problem> {
    let mut transaction = api.database.begin().await?;
    let hook = asked.webhook(&mut transaction).await?;
    hooks::delete(&mut transaction, &hook).await?;
    transaction.commit().await?;
    api.swept.wake();
    tracing::info!(webhook = %hook.id, "webhook deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// The URL in its one spelling, if a webhook may point there.
async fn target(api: &Api, url: &str) -> Result<String, Problem> {
    let checked = api.poster.check(url).await;
    let target = checked.map_err(|why| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-url", format!("A webhook cannot point to this URL: {why}."))
    })?;
    Ok(target.url().to_string())
}

fn check_description(text: &str) -> Result<(), Problem> {
    // PostgreSQL stores no NUL.
    if text.chars().count() > MAX_DESCRIPTION || text.contains('\0') {
        let detail = format!("description must have at most {MAX_DESCRIPTION} characters, none of them NUL.");
        return Err(Problem::bad_request(detail));
    }
    Ok(())
}

fn operators_only() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "Webhooks for all users are for operators only.")
}
