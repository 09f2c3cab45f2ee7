//! No route answers without a good token.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::Issuer;

use crate::service::Service;

const ROUTES: [(Method, &str); 6] = [
    (Method::GET, "/v1/messages"),
    (Method::GET, "/v1/messages/unread-count"),
    (Method::GET, "/v1/messages/stream"),
    (Method::POST, "/v1/messages/read-all"),
    (Method::POST, "/v1/messages/0192f0c1-7a3b-7c54-8d21-3f6a5b9c0d1e/read"),
    (Method::POST, "/v1/messages/0192f0c1-7a3b-7c54-8d21-3f6a5b9c0d1e/unread"),
];

/// `{"alg":"none","typ":"JWT"}`
const NO_ALGORITHM: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

fn spoilt(issuer: &Issuer, claim: &str, value: Value) -> String {
    let mut claims = issuer.claims("alice");
    claims[claim] = value;
    issuer.sign(&issuer.header(), &claims)
}

fn without(issuer: &Issuer, claim: &str) -> String {
    let mut claims = issuer.claims("alice");
    claims.as_object_mut().unwrap().remove(claim);
    issuer.sign(&issuer.header(), &claims)
}

/// The public key as a shared secret: what a check that trusts the token's own `alg` falls for.
fn signed_with_the_public_key(issuer: &Issuer) -> String {
    let path = issuer.auth_args().jwks_url.to_file_path().unwrap();
    let header = Header { alg: Algorithm::HS256, ..issuer.header() };
    let secret = EncodingKey::from_secret(&std::fs::read(path).unwrap());
    jsonwebtoken::encode(&header, &issuer.claims("alice"), &secret).unwrap()
}

fn bad_tokens(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let good = issuer.token("alice");
    let parts: Vec<&str> = good.split('.').collect();
    let now = issuer.claims("alice")["iat"].as_u64().unwrap();
    let bob = issuer.token("bob");
    let other_payload = bob.split('.').nth(1).unwrap();
    let unknown_key = Header { kid: Some("other".to_owned()), ..issuer.header() };
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..issuer.header() };
    vec![
        ("wrong key", Issuer::new().token("alice")),
        ("unknown key", issuer.sign(&unknown_key, &issuer.claims("alice"))),
        ("wrong audience", spoilt(issuer, "aud", json!("another"))),
        ("wrong audiences", spoilt(issuer, "aud", json!(["another", "third"]))),
        ("no audience", without(issuer, "aud")),
        ("wrong issuer", spoilt(issuer, "iss", json!("https://issuer.test/"))),
        ("no issuer", without(issuer, "iss")),
        ("expired", spoilt(issuer, "exp", json!(now - 60))),
        ("no expiry", without(issuer, "exp")),
        ("expiry as text", spoilt(issuer, "exp", json!("4102444800"))),
        ("not valid yet", spoilt(issuer, "nbf", json!(now + 600))),
        ("no subject", without(issuer, "sub")),
        ("empty subject", spoilt(issuer, "sub", json!(""))),
        ("subject that is no text", spoilt(issuer, "sub", json!(7))),
        ("critical extension", issuer.sign(&critical, &issuer.claims("alice"))),
        ("alg none", format!("{NO_ALGORITHM}.{}.", parts[1])),
        ("alg none with a signature", format!("{NO_ALGORITHM}.{}.{}", parts[1], parts[2])),
        ("HS256 with the public key", signed_with_the_public_key(issuer)),
        ("another's claims", format!("{}.{other_payload}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no token", String::new()),
        ("too long", "a".repeat(9000)),
    ]
}

#[tokio::test]
async fn every_route_wants_a_token() {
    let service = Service::start().await;
    for (method, path) in ROUTES {
        let response = service.request(method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let basic = service.request(method.clone(), path).basic_auth("alice", Some("secret")).send().await.unwrap();
        assert_eq!(basic.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_refuses_every_bad_token() {
    let service = Service::start().await;
    for (why, token) in bad_tokens(&service.issuer) {
        for (method, path) in ROUTES {
            let response = service.request(method.clone(), path).bearer_auth(&token).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{why}: {method} {path}");
        }
    }
    for (method, path) in ROUTES {
        let token = service.issuer.token("alice");
        let status = service.request(method.clone(), path).bearer_auth(token).send().await.unwrap().status();
        assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {path} with a good token");
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong() {
    let service = Service::start().await;
    let issuer = &service.issuer;
    let now = issuer.claims("alice")["iat"].as_u64().unwrap();
    let cases = [
        (spoilt(issuer, "exp", json!(now - 60)), "The token is not valid: it has expired."),
        (without(issuer, "sub"), "The token is not valid: a claim is missing: iss, aud, sub and exp are needed."),
        (Issuer::new().token("alice"), "The token is not valid: its signature does not fit."),
    ];
    for (token, detail) in cases {
        let response = service.request(Method::GET, "/v1/messages").bearer_auth(token).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
        assert_eq!(response.json::<Value>().await.unwrap()["detail"], detail);
    }
}

#[tokio::test]
async fn tokens_as_good_issuers_make_them_are_taken() {
    let service = Service::start().await;
    let issuer = &service.issuer;
    let now = issuer.claims("alice")["iat"].as_u64().unwrap();
    let good = [
        spoilt(issuer, "aud", json!(["another", "segue"])),
        spoilt(issuer, "exp", json!(now as f64 + 60.5)),
        spoilt(issuer, "exp", json!(u64::MAX)),
        // The one key of the set serves a token that names none.
        issuer.sign(&Header { kid: None, ..issuer.header() }, &issuer.claims("alice")),
    ];
    for token in good {
        for path in ["/v1/messages", "/v1/messages/stream"] {
            let response = service.request(Method::GET, path).bearer_auth(&token).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}: {token}");
        }
    }
    let lower =
        service.request(Method::GET, "/v1/messages").header("Authorization", format!("bearer {}", issuer.token("a")));
    assert_eq!(lower.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_key_is_used_only_for_what_its_set_says() {
    for (member, value) in [("use", "enc"), ("alg", "ES384"), ("kty", "oct")] {
        let service = Service::start().await;
        // The keys are read when the first token comes.
        let path = service.issuer.auth_args().jwks_url.to_file_path().unwrap();
        let mut keys: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        keys["keys"][0][member] = json!(value);
        keys["keys"][0]["k"] = json!("c2VjcmV0");
        std::fs::write(&path, keys.to_string()).unwrap();
        let response = service.get("alice", "/v1/messages").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{member}: {value}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_no_fault_of_the_caller() {
    let service = Service::start().await;
    std::fs::remove_file(service.issuer.auth_args().jwks_url.to_file_path().unwrap()).unwrap();
    for _ in 0..2 {
        let response = service.get("alice", "/v1/messages").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let problem = response.text().await.unwrap();
        assert!(!problem.contains("jwks"), "the cause stays in the log: {problem}");
    }
}
