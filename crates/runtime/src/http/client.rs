//! Asking other servers.

use reqwest::{Client, ClientBuilder};
use url::{Host, Url};

/// A client for one server. A proxy that the environment names is not asked for this machine's own
/// loopback, which it cannot reach.
pub fn client_for(server: &Url) -> ClientBuilder {
    let client = Client::builder();
    if is_loopback(server) { client.no_proxy() } else { client }
}

fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_directly() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(is("http://127.0.0.1:8080/a") && is("http://localhost") && is("http://[::1]:1/"));
        assert!(!is("https://example.com") && !is("http://10.0.0.1") && !is("file:///a"));
    }
}
