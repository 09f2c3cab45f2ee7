//! Which pages of other origins may use a bucket.

use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};

use super::Operations;
use crate::s3::{
    cors::{self, Rule, Rules},
    fault::Fault,
    objects::require_bucket,
    settings,
};

/// S3 API, PutBucketCors.
const MAX_RULES: usize = 100;
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

pub(super) async fn put_bucket_cors(
    on: &Operations,
    request: S3Request<PutBucketCorsInput>,
) -> Result<S3Response<PutBucketCorsOutput>, Fault> {
    let input = request.input;
    let given = input.cors_configuration.cors_rules;
    if given.is_empty() || given.len() > MAX_RULES {
        return Err(s3_error!(MalformedXML, "A CORS configuration has 1 to {MAX_RULES} rules").into());
    }
    let rules = Rules(given.into_iter().map(rule).collect::<Result<_, _>>()?);
    let bucket = input.bucket;
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        require_bucket(transaction, &bucket)?;
        settings::put(transaction, &bucket, &rules)
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(PutBucketCorsOutput {}))
}

pub(super) async fn get_bucket_cors(
    on: &Operations,
    request: S3Request<GetBucketCorsInput>,
) -> Result<S3Response<GetBucketCorsOutput>, Fault> {
    let bucket = request.input.bucket;
    let read = move |connection: &rusqlite::Connection| {
        require_bucket(connection, &bucket)?;
        settings::find::<Rules>(connection, &bucket)
    };
    let Rules(rules) = on.context.store.read(read).await?.ok_or_else(cors::none)?;
    let shown = |rule: Rule| CORSRule {
        allowed_headers: (!rule.headers.is_empty()).then_some(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: (!rule.expose.is_empty()).then_some(rule.expose),
        id: rule.id,
        max_age_seconds: rule.max_age_seconds,
    };
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(rules.into_iter().map(shown).collect()) }))
}

pub(super) async fn delete_bucket_cors(
    on: &Operations,
    request: S3Request<DeleteBucketCorsInput>,
) -> Result<S3Response<DeleteBucketCorsOutput>, Fault> {
    let bucket = request.input.bucket;
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        require_bucket(transaction, &bucket)?;
        settings::remove::<Rules>(transaction, &bucket)
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(DeleteBucketCorsOutput {}))
}

fn rule(given: CORSRule) -> Result<Rule, S3Error> {
    if let Some(method) = given.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(s3_error!(
            InvalidRequest,
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        ));
    }
    if given.allowed_methods.is_empty() || given.allowed_origins.is_empty() {
        return Err(s3_error!(MalformedXML, "A CORS rule names at least one method and one origin"));
    }
    let headers = given.allowed_headers.unwrap_or_default();
    for (what, patterns) in [("AllowedOrigin", &given.allowed_origins), ("AllowedHeader", &headers)] {
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches('*').count() > 1) {
            return Err(s3_error!(InvalidRequest, "{what} \"{pattern}\" can not have more than one wildcard."));
        }
    }
    Ok(Rule {
        id: given.id,
        origins: given.allowed_origins,
        methods: given.allowed_methods,
        headers: headers.iter().map(|header| header.to_ascii_lowercase()).collect(),
        expose: given.expose_headers.unwrap_or_default(),
        max_age_seconds: given.max_age_seconds,
    })
}
