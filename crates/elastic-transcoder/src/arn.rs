//! Amazon resource names of the service's things.

/// Makes ARNs for one region and account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arns {
    region: String,
    account: String,
}

impl Arns {
    /// For the region and the twelve digits of the account.
    pub fn new(region: impl Into<String>, account: impl Into<String>) -> Self {
        Self { region: region.into(), account: account.into() }
    }

    /// The account, which some error texts name.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// `arn:aws:elastictranscoder:{region}:{account}:pipeline/{id}`
    pub fn pipeline(&self, id: &str) -> String {
        self.of("pipeline", id)
    }

    /// `arn:aws:elastictranscoder:{region}:{account}:job/{id}`
    pub fn job(&self, id: &str) -> String {
        self.of("job", id)
    }

    /// `arn:aws:elastictranscoder:{region}:{account}:preset/{id}`; system presets have the caller's account too.
    pub fn preset(&self, id: &str) -> String {
        self.of("preset", id)
    }

    fn of(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:elastictranscoder:{}:{}:{kind}/{id}", self.region, self.account)
    }
}
