//! Patterns in policies: wildcards, and ranges of IP addresses.

use std::net::IpAddr;

/// Text with `*` for any characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// What stands between the stars; with one star there are two.
    pieces: Vec<String>,
}

impl Wildcard {
    /// `\*` and `\\` stand for themselves. `None` for other escapes and for two stars in a row.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut pieces = vec![String::new()];
        let mut last_was_star = false;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let is_star = character == '*';
            match character {
                '*' if last_was_star => return None,
                '*' => pieces.push(String::new()),
                '\\' => pieces.last_mut()?.push(characters.next().filter(|next| matches!(next, '*' | '\\'))?),
                other => pieces.last_mut()?.push(other),
            }
            last_was_star = is_star;
        }
        Some(Self { pieces })
    }

    pub(super) fn stars(&self) -> usize {
        self.pieces.len() - 1
    }

    /// Each piece is taken where it first fits, so the time is bounded by the text times the pieces.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.iter().all(|piece| piece == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}

/// A range of addresses such as `10.0.0.0/24` (RFC 4632).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    address: IpAddr,
    /// Low bits that may differ.
    free: u32,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Some(Self { address, free: u32::checked_sub(bits, length.parse().ok()?)? })
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else { return false };
        address.is_ipv4() == self.address.is_ipv4() && self.network(address) == self.network(self.address)
    }

    fn network(&self, address: IpAddr) -> u128 {
        let bits = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        bits.checked_shr(self.free).unwrap_or(0)
    }
}
