//! Those who run the deployment: users whose `sub` a setting names.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use common::UserId;
use http::{StatusCode, request::Parts};

use super::{Refused, Verifier};
use crate::Problem;

/// Who runs the deployment.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OperatorArgs {
    /// The users, by the `sub` of their tokens and separated by commas, who may see and change what concerns
    /// everybody. Nobody when not given.
    #[arg(long, env = "SEGUE_OPERATORS", value_delimiter = ',')]
    pub operators: Vec<UserId>,
}

impl Verifier {
    /// The same verifier, which knows these operators. Without it nobody is one.
    #[must_use]
    pub fn with_operators(mut self, args: &OperatorArgs) -> Self {
        self.operators = Arc::from(args.operators.as_slice());
        self
    }

    pub(super) fn operator(&self, user: &UserId) -> Option<Operator> {
        self.operators.contains(user).then(|| Operator(user.clone()))
    }
}

/// The operator who sent the request: a user with an ordinary token whom [`OperatorArgs`] names. Any other user
/// gets 403; where [`require`](super::require) does not guard the route, it is always 401.
///
/// A handler that serves users too takes `Option<Operator>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator(pub UserId);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if let Some(operator) = parts.extensions.get::<Self>() {
            return Ok(operator.clone());
        }
        match parts.extensions.get::<UserId>() {
            Some(_) => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "This is for operators only.")),
            None => Err(Refused::Missing.into_problem()),
        }
    }
}

/// Never refuses: `None` is anybody else.
impl<S: Sync> axum::extract::OptionalFromRequestParts<S> for Operator {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Request, routing::get};
    use tower::ServiceExt;

    use super::*;

    async fn status(caller: &[&str]) -> StatusCode {
        let router = Router::new().route("/", get(|_: Operator| async {}));
        let mut request = Request::new(Body::empty());
        let args = OperatorArgs { operators: vec!["root".parse().unwrap()] };
        for user in caller {
            let user: UserId = user.parse().unwrap();
            if let Some(operator) = verifier().with_operators(&args).operator(&user) {
                request.extensions_mut().insert(operator);
            }
            request.extensions_mut().insert(user);
        }
        router.oneshot(request).await.unwrap().status()
    }

    fn verifier() -> Verifier {
        let jwks_url = "file:///nowhere".parse().unwrap();
        let args = super::super::AuthArgs { jwks_url, jwt_issuer: "i".into(), jwt_audience: "a".into() };
        Verifier::new(&args).unwrap()
    }

    #[tokio::test]
    async fn only_those_who_are_named_pass() {
        assert_eq!(status(&["root"]).await, StatusCode::OK);
        assert_eq!(status(&["alice"]).await, StatusCode::FORBIDDEN);
        assert_eq!(status(&[]).await, StatusCode::UNAUTHORIZED);
        assert!(verifier().operator(&"root".parse().unwrap()).is_none(), "nobody is an operator by default");
    }
}
