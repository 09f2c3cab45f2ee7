//! Segments that a running job offers to other processes, and the claims on them.
//!
//! A row moves Offered → Claimed → Ready → Done; each move is an update that holds only if the row is as its mover
//! believes. Failed is a helper's way out, and Ended the way out of whoever runs the job. See ADR 0008 (`docs/adr`).

use common::Timestamp;
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::Lease;

/// The most offers of dead runs that one round of the sweep gets.
const STALE: i64 = 100;

/// A segment that somebody else may encode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// A name that no other offer has.
    pub id: String,
    /// The job that it is a part of.
    pub job_id: String,
    /// The owner in the job's lease at the time of the offer.
    pub run: String,
    /// What a helper has to understand, and to encode with.
    pub form: String,
    /// What there is to do.
    pub document: String,
}

/// How far an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// Nobody has it.
    Offered,
    /// A helper waits for the samples.
    Claimed,
    /// The samples are there.
    Ready,
    /// What was encoded is there.
    Done,
    /// The helper could not.
    Failed,
    /// The run wants it no longer.
    Ended,
}

/// What a run looks at while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The offer.
    pub id: String,
    /// How far it is.
    pub state: OfferState,
    /// When its helper, if it has one, may be thought dead.
    pub lease_until: Timestamp,
}

/// Offers a segment.
pub async fn create_offer(connection: &mut AnyConnection, offer: &Offer) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO offers (id, job_id, run, form, document, state) VALUES ($1, $2, $3, $4, $5, 'Offered')")
        .bind(offer.id.as_str())
        .bind(offer.job_id.as_str())
        .bind(offer.run.as_str())
        .bind(offer.form.as_str())
        .bind(offer.document.as_str())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Takes an offer back. False when a helper was first.
pub async fn withdraw_offer(connection: &mut AnyConnection, id: &str) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query("DELETE FROM offers WHERE id = $1 AND state = 'Offered'");
    Ok(deleted.bind(id).execute(connection).await?.rows_affected() == 1)
}

/// The offer whose turn it is among those that a helper of this form can read: of the job that has the fewest helpers,
/// the oldest. What a run offered that has lost its job is nobody's turn.
pub async fn next_offer(
    connection: &mut AnyConnection,
    form: &str,
    now: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT offers.id AS id FROM offers
         JOIN jobs ON jobs.id = offers.job_id AND jobs.lease_owner = offers.run
         WHERE offers.state = 'Offered' AND offers.form = $1
             AND jobs.status = 'Progressing' AND jobs.lease_until > $2
         ORDER BY (SELECT COUNT(*) FROM offers AS taken
             WHERE taken.run = offers.run AND taken.state IN ('Claimed', 'Ready')), offers.id
         LIMIT 1",
    )
    .bind(form)
    .bind(now.as_millis())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.try_get("id")).transpose()
}

/// Makes an offer the helper's. `None` when another helper was first, or it was taken back.
pub async fn claim_offer(
    connection: &mut AnyConnection,
    id: &str,
    lease: &Lease,
) -> Result<Option<Offer>, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE offers SET state = 'Claimed', helper = $1, lease_until = $2 WHERE id = $3 AND state = 'Offered'
         RETURNING id, job_id, run, form, document",
    )
    .bind(lease.owner.as_str())
    .bind(lease.until.as_millis())
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Says that the helper is still at it. False when nobody wants it any more: it was taken back, or the job was
/// cancelled, has ended or runs elsewhere.
pub async fn renew_offer(connection: &mut AnyConnection, id: &str, lease: &Lease) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE offers SET lease_until = $1 WHERE id = $2 AND helper = $3 AND state IN ('Claimed', 'Ready', 'Done')
             AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = offers.job_id AND jobs.lease_owner = offers.run
                 AND jobs.status = 'Progressing')",
    )
    .bind(lease.until.as_millis())
    .bind(id)
    .bind(lease.owner.as_str())
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Claimed → Ready. False when the helper has failed.
pub async fn offer_is_ready(connection: &mut AnyConnection, id: &str) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query("UPDATE offers SET state = 'Ready' WHERE id = $1 AND state = 'Claimed'");
    Ok(updated.bind(id).execute(connection).await?.rows_affected() == 1)
}

/// Ready → Done. False when it is no longer the helper's.
pub async fn offer_is_done(connection: &mut AnyConnection, id: &str, helper: &str) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query("UPDATE offers SET state = 'Done' WHERE id = $1 AND helper = $2 AND state = 'Ready'");
    Ok(updated.bind(id).bind(helper).execute(connection).await?.rows_affected() == 1)
}

/// The helper gives up, if the offer is still its own.
pub async fn offer_failed(connection: &mut AnyConnection, id: &str, helper: &str) -> Result<(), sqlx::Error> {
    let failed = "UPDATE offers SET state = 'Failed' WHERE id = $1 AND helper = $2 AND state IN ('Claimed', 'Ready')";
    sqlx::query(failed).bind(id).bind(helper).execute(connection).await.map(|_| ())
}

/// From now on no helper can do anything with the offer; its objects can be removed.
pub async fn end_offer(connection: &mut AnyConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE offers SET state = 'Ended' WHERE id = $1").bind(id).execute(connection).await.map(|_| ())
}

/// Forgets an offer, whose objects were removed.
pub async fn delete_offer(connection: &mut AnyConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM offers WHERE id = $1").bind(id).execute(connection).await.map(|_| ())
}

/// How far one offer is.
pub async fn find_offer_state(connection: &mut AnyConnection, id: &str) -> Result<Option<OfferState>, sqlx::Error> {
    let row = sqlx::query("SELECT state FROM offers WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| state(row.try_get("state")?)).transpose()
}

/// How far the offers of a run are: a handful.
pub async fn see_offers(connection: &mut AnyConnection, run: &str) -> Result<Vec<Seen>, sqlx::Error> {
    let query = sqlx::query("SELECT id, state, lease_until FROM offers WHERE run = $1").bind(run);
    let seen = |row: &AnyRow| {
        let lease_until = Timestamp::from_millis(row.try_get("lease_until")?);
        Ok(Seen { id: row.try_get("id")?, state: state(row.try_get("state")?)?, lease_until })
    };
    query.fetch_all(connection).await?.iter().map(seen).collect()
}

/// What a run has offered.
pub async fn offers_of_run(connection: &mut AnyConnection, run: &str) -> Result<Vec<Offer>, sqlx::Error> {
    let query = sqlx::query("SELECT id, job_id, run, form, document FROM offers WHERE run = $1").bind(run);
    query.fetch_all(connection).await?.iter().map(read).collect()
}

/// Offers whose run no longer has its job: its process died, and the job has ended since or runs elsewhere.
pub async fn stale_offers(connection: &mut AnyConnection) -> Result<Vec<Offer>, sqlx::Error> {
    let query = sqlx::query(
        "SELECT id, job_id, run, form, document FROM offers WHERE NOT EXISTS
         (SELECT 1 FROM jobs WHERE jobs.id = offers.job_id AND jobs.lease_owner = offers.run
             AND jobs.status = 'Progressing')
         LIMIT $1",
    );
    query.bind(STALE).fetch_all(connection).await?.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Offer, sqlx::Error> {
    Ok(Offer {
        id: row.try_get("id")?,
        job_id: row.try_get("job_id")?,
        run: row.try_get("run")?,
        form: row.try_get("form")?,
        document: row.try_get("document")?,
    })
}

fn state(text: &str) -> Result<OfferState, sqlx::Error> {
    Ok(match text {
        "Offered" => OfferState::Offered,
        "Claimed" => OfferState::Claimed,
        "Ready" => OfferState::Ready,
        "Done" => OfferState::Done,
        "Failed" => OfferState::Failed,
        "Ended" => OfferState::Ended,
        _ => return Err(sqlx::Error::Decode(format!("an offer is {text}").into())),
    })
}
