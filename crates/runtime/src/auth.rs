//! Who is calling: bearer JWTs checked against a JWKS.
//!
//! [`require`] guards every route below it. The `sub` of a good token is the user; anything else is 401.

mod jwks;
mod operator;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use common::UserId;
use http::{HeaderValue, StatusCode, header, request::Parts};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use url::Url;

use crate::Problem;
use jwks::Jwks;

pub use operator::{Operator, OperatorArgs};

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;
/// The longest token that is looked at.
const MAX_TOKEN: usize = 8 * 1024;

/// Whose tokens are taken.
#[derive(Debug, Clone, clap::Args)]
pub struct AuthArgs {
    /// Where the issuer's public keys are: an http, https or file URL of a JWKS (RFC 7517).
    #[arg(long, env = "SEGUE_JWKS_URL")]
    pub jwks_url: Url,
    /// What `iss` must be.
    #[arg(long, env = "SEGUE_JWT_ISSUER")]
    pub jwt_issuer: String,
    /// What `aud` must hold.
    #[arg(long, env = "SEGUE_JWT_AUDIENCE", default_value = "segue")]
    pub jwt_audience: String,
}

/// Checks tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
    operators: Arc<[UserId]>,
}

struct Inner {
    issuer: String,
    audience: String,
    keys: Jwks,
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("The request has no bearer token.")]
    Missing,
    #[error("The token is not valid: {0}.")]
    Invalid(&'static str),
    #[error("the issuer's keys cannot be read: {0:#}")]
    Keys(anyhow::Error),
}

/// The library checks that both are there, so that the refusal can say so.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// NumericDate: seconds, not always whole (RFC 7519, section 2).
    #[serde(default)]
    exp: f64,
}

impl Verifier {
    /// A verifier that reads the keys when the first token comes.
    pub fn new(args: &AuthArgs) -> anyhow::Result<Self> {
        let keys = Jwks::new(args.jwks_url.clone())?;
        let inner = Inner { issuer: args.jwt_issuer.clone(), audience: args.jwt_audience.clone(), keys };
        Ok(Self { inner: Arc::new(inner), operators: Arc::default() })
    }

    async fn verify(&self, authorization: Option<&HeaderValue>) -> Result<(UserId, TokenExpiry), Refused> {
        let value = authorization.and_then(|value| value.to_str().ok()).ok_or(Refused::Missing)?;
        let (scheme, token) = value.split_once(' ').ok_or(Refused::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refused::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(Refused::Invalid("it is too long"));
        }
        // `alg: none` and unknown algorithms fail here: the library has no such value.
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Invalid("it is not a signed JWT"))?;
        // No extension is understood here, and one that is critical must be (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(Refused::Invalid("it asks for an extension that is not understood"));
        }
        let key = self.inner.keys.find(header.kid.as_deref()).await.map_err(Refused::Keys)?;
        let key = key.ok_or(Refused::Invalid("its key is not one of the issuer's"))?;
        self.check(token, header.alg, &key)
    }

    fn check(&self, token: &str, algorithm: Algorithm, jwk: &Jwk) -> Result<(UserId, TokenExpiry), Refused> {
        // The key decides which algorithms may be used with it, never the token alone (RFC 8725, 3.1).
        if !signs_with(jwk, algorithm) {
            return Err(Refused::Invalid("its algorithm is not the key's"));
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|error| Refused::Keys(error.into()))?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.inner.issuer]);
        validation.set_audience(&[&self.inner.audience]);
        let token = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| Refused::Invalid(reason(error.kind())))?;
        let user = UserId::try_from(token.claims.sub)
            .map_err(|_| Refused::Invalid("its sub is empty, too long or unprintable"))?;
        Ok((user, TokenExpiry { seconds: token.claims.exp }))
    }
}

/// Whether a key is for signatures of this algorithm. The members `use` and `alg` of a key narrow
/// what its kind allows (RFC 7517, 4.2 and 4.4).
fn signs_with(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let same = |named: jsonwebtoken::jwk::KeyAlgorithm| named.to_string().parse() == Ok(algorithm);
    for_signatures && algorithms(jwk).contains(&algorithm) && jwk.common.key_algorithm.is_none_or(same)
}

fn algorithms(jwk: &Jwk) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[EdDSA],
        // Shared secrets are no public keys; other kinds are unknown here.
        _ => &[],
    }
}

fn reason(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "its issuer is not the expected one",
        ErrorKind::InvalidAudience => "its audience is not this service",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing: iss, aud, sub and exp are needed",
        ErrorKind::InvalidSignature => "its signature does not fit",
        _ => "it cannot be read",
    }
}

impl Refused {
    fn into_problem(self) -> Problem {
        let challenge = match &self {
            Self::Keys(_) => return Problem::unavailable(self),
            Self::Missing => "Bearer",
            Self::Invalid(_) => "Bearer error=\"invalid_token\"",
        };
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", self.to_string())
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}

/// Guards all routes of `router`: no good token, no answer but 401.
pub fn require<S: Clone + Send + Sync + 'static>(router: axum::Router<S>, verifier: &Verifier) -> axum::Router<S> {
    router.route_layer(middleware::from_fn_with_state(verifier.clone(), authenticate))
}

async fn authenticate(State(verifier): State<Verifier>, mut request: Request, next: Next) -> Response {
    match verifier.verify(request.headers().get(header::AUTHORIZATION)).await {
        Ok((user, expiry)) => {
            tracing::Span::current().record("user", user.as_str());
            if let Some(operator) = verifier.operator(&user) {
                request.extensions_mut().insert(operator);
            }
            request.extensions_mut().insert(user);
            request.extensions_mut().insert(expiry);
            next.run(request).await
        }
        Err(refused) => refused.into_problem().into_response(),
    }
}

/// The user who sent the request. On a route that [`require`] does not guard it is always 401.
#[derive(Debug, Clone)]
pub struct User(pub UserId);

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Refused::Missing.into_problem())
    }
}

/// When the token of the request ends: what is answered for longer than a moment, as a stream is,
/// must not outlive it. On a route that [`require`] does not guard it is always 401.
#[derive(Debug, Clone, Copy)]
pub struct TokenExpiry {
    seconds: f64,
}

impl TokenExpiry {
    /// How long the token is still taken; nothing when that is over, a day when it is longer.
    #[must_use]
    pub fn remaining(self) -> Duration {
        const DAY: f64 = 86_400.0;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let remaining = self.seconds + LEEWAY as f64 - now;
        Duration::try_from_secs_f64(remaining.clamp(0.0, DAY)).unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for TokenExpiry {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().copied().ok_or_else(|| Refused::Missing.into_problem())
    }
}
