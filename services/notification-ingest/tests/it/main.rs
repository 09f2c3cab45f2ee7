//! The service on a real SNS, SQS and both databases.

mod attacks;
// Issues certificates; from the same place as the signer.
#[allow(dead_code, reason = "it serves the tests of two crates")]
#[path = "../../../../crates/sns/tests/it/authority.rs"]
mod authority;
mod both_ways;
mod certificates;
mod confirmations;
mod rejected;
mod rig;
mod settings;
// The one SNS whose key a test holds; the crate it comes from tests the checks themselves with it.
#[allow(dead_code, reason = "it serves the tests of two crates")]
#[path = "../../../../crates/sns/tests/it/signer.rs"]
mod signer;
mod webhooks;
