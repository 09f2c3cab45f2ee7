//! How messages reach a subscriber, and what differs from one way to another.

use std::collections::BTreeMap;

use super::error::Error;

/// The protocols that are available here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Protocol {
    Sqs,
    Http,
    Https,
}

impl Protocol {
    pub(super) const ALL: [Self; 3] = [Self::Sqs, Self::Http, Self::Https];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.text() == text)
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// A queue of this account needs no confirmation (SNS developer guide, "Subscribing a queue to a topic").
    pub(super) fn needs_confirmation(self) -> bool {
        self != Self::Sqs
    }
}

/// One thing for all protocols, and others for some (SNS API, Publish, `MessageStructure`).
pub(super) struct PerProtocol<T> {
    all: T,
    own: BTreeMap<Protocol, T>,
}

impl<T> PerProtocol<T> {
    pub(super) fn new(all: T, own: BTreeMap<Protocol, T>) -> Self {
        Self { all, own }
    }

    pub(super) fn of(&self, protocol: Protocol) -> &T {
        self.own.get(&protocol).unwrap_or(&self.all)
    }

    pub(super) fn map<U>(&self, change: impl Fn(&T) -> U) -> PerProtocol<U> {
        let own = self.own.iter().map(|(protocol, value)| (*protocol, change(value)));
        PerProtocol { all: change(&self.all), own: own.collect() }
    }

    pub(super) fn try_map<U>(self, change: impl Fn(T) -> Result<U, Error>) -> Result<PerProtocol<U>, Error> {
        let own = self.own.into_iter().map(|(protocol, value)| Ok((protocol, change(value)?)));
        Ok(PerProtocol { own: own.collect::<Result<_, Error>>()?, all: change(self.all)? })
    }
}
