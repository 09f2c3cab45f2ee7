//! One binary that runs everything, provisions resources and issues local tokens.
fn main() {}
