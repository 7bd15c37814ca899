//! Where a connection may go: host, scheme and port first, then the address on every dial. Everything that is
//! not granted is denied (I12), and a denial names the line that would grant it.

use crate::expression::closest;
use crate::problem::{Problem, codes};
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::Host;

/// One connection's grants.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Such as ``source `crm` ``, for messages.
    owner: String,
    hosts: Vec<HostRule>,
    addresses: Vec<SocketAddr>,
}

/// A host, or with `*.` in front every name below it; without a port, the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostRule {
    host: String,
    below: bool,
    port: Option<u16>,
}

/// A place that the first stage let pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: String,
    pub host: String,
    pub port: u16,
}

impl Policy {
    /// `hosts` are the ones that the connector declares and the ones that the manifest grants.
    pub fn new<'a>(
        owner: &str,
        hosts: impl IntoIterator<Item = &'a str>,
        addresses: &[String],
    ) -> Self {
        Self {
            owner: owner.to_owned(),
            hosts: hosts.into_iter().map(HostRule::parse).collect(),
            // What is not an address was already reported with the manifest; here it grants nothing.
            addresses: addresses
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
        }
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The first stage: may a request to this URL be made at all?
    pub fn admit(&self, url: &Url) -> Result<Origin, Problem> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.bad_request("a URL may not carry a user name or a password"));
        }
        let scheme = url.scheme();
        let (Some(host), Some(port), "http" | "https") =
            (url.host(), url.port_or_known_default(), scheme)
        else {
            return Err(Problem::new(
                &codes::SCHEME_DENIED,
                format!(
                    "{} may not use `{}`: only https leaves the hub",
                    self.owner,
                    short(scheme)
                ),
            ));
        };
        let origin = Origin {
            scheme: scheme.to_owned(),
            host: host.to_string(),
            port,
        };
        match literal(&host) {
            Some(address) => self.admit_address(&origin, SocketAddr::new(address, port))?,
            None => self.admit_name(&origin)?,
        }
        Ok(origin)
    }

    fn admit_name(&self, origin: &Origin) -> Result<(), Problem> {
        if !self.names(&origin.host, origin.port) {
            return Err(self.host_denied(origin));
        }
        // A name may resolve to a granted address; that is checked when it is dialled.
        let may_be_plain = self
            .addresses
            .iter()
            .any(|granted| granted.port() == origin.port);
        if origin.scheme != "https" && !may_be_plain {
            return Err(self.scheme_denied(origin));
        }
        Ok(())
    }

    fn admit_address(&self, origin: &Origin, address: SocketAddr) -> Result<(), Problem> {
        if self.grants_address(address) {
            return Ok(());
        }
        if !is_public(address.ip()) {
            return Err(self.address_denied(&origin.host, address));
        }
        if !self.names(&origin.host, origin.port) {
            return Err(self.host_denied(origin));
        }
        if origin.scheme != "https" {
            return Err(self.scheme_denied(origin));
        }
        Ok(())
    }

    /// The second stage: may this host be dialled at this address?
    pub fn admit_dial(&self, origin: &Origin, address: SocketAddr) -> Result<(), Problem> {
        if self.grants_address(address) {
            return Ok(());
        }
        if !is_public(address.ip()) {
            return Err(self.address_denied(&origin.host, address));
        }
        if origin.scheme != "https" {
            return Err(self.scheme_denied(origin));
        }
        Ok(())
    }

    fn names(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|rule| rule.allows(host, port))
    }

    /// A grant is one address in one form: what leads to it by way of a translator or a tunnel is another.
    fn grants_address(&self, address: SocketAddr) -> bool {
        let wanted = (address.ip(), address.port());
        let mut granted = self.addresses.iter();
        granted.any(|granted| (granted.ip(), granted.port()) == wanted)
    }

    fn host_denied(&self, origin: &Origin) -> Problem {
        let target = match origin.port {
            443 => origin.host.clone(),
            port => format!("{}:{port}", origin.host),
        };
        Problem::new(
            &codes::HOST_DENIED,
            format!("{} may not call `{}`", self.owner, short(&target)),
        )
        .hint(format!(
            "{}add `grant.hosts = [\"{}\"]` to {}; a credential goes there only if its own `hosts` name it, too",
            self.near(&origin.host),
            short(&target),
            self.owner
        ))
    }

    /// A slip of the finger should not be granted.
    fn near(&self, host: &str) -> String {
        let known = self.hosts.iter().filter(|rule| !rule.below);
        match closest(host, known.map(|rule| &*rule.host)) {
            Some(near) => format!("did you mean `{near}`, which may be called? If not, "),
            None => String::new(),
        }
    }

    fn address_denied(&self, host: &str, address: SocketAddr) -> Problem {
        let leads = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(_) => format!("{} may not call {address}", self.owner),
            Err(_) => format!("`{}` leads to {address}", short(host)),
        };
        Problem::new(
            &codes::ADDRESS_DENIED,
            format!("{leads}, which is not a public address"),
        )
        .hint(format!(
            "add `grant.addresses = [\"{address}\"]` to {}",
            self.owner
        ))
    }

    fn scheme_denied(&self, origin: &Origin) -> Problem {
        Problem::new(
            &codes::SCHEME_DENIED,
            format!(
                "{} may not use `{}` with `{}`: only https leaves the hub",
                self.owner,
                short(&origin.scheme),
                short(&origin.host)
            ),
        )
        .hint("use https, or grant the address with `grant.addresses`")
    }

    pub fn bad_request(&self, why: &str) -> Problem {
        Problem::new(
            &codes::REQUEST_DENIED,
            format!("a request of {}: {why}", self.owner),
        )
    }
}

impl HostRule {
    pub fn parse(text: &str) -> Self {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => {
                // A port that is not a valid port number matches nothing.
                (host, Some(port.parse().unwrap_or(0)))
            }
            _ => (text, None),
        };
        let host = host.to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(parent) => Self {
                host: format!(".{parent}"),
                below: true,
                port,
            },
            None => Self {
                host,
                below: false,
                port,
            },
        }
    }

    pub fn allows(&self, host: &str, port: u16) -> bool {
        let named = match self.below {
            true => host.len() > self.host.len() && host.ends_with(&self.host),
            false => host == self.host,
        };
        named && port == self.port.unwrap_or(443)
    }
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

/// A guest chose this text; it goes into a message.
fn short(text: &str) -> String {
    text.escape_debug().to_string().chars().take(120).collect()
}

/// An IPv4 address that hides in an IPv6 one: mapped, compatible, translated, 6to4 and NAT64.
fn unwrap(address: IpAddr) -> IpAddr {
    let IpAddr::V6(outer) = address else {
        return address;
    };
    let part = outer.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match part {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if high != 0 || low > 1 => v4(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        _ => IpAddr::V6(outer),
    }
}

/// The address that a URL names by its number, where it is not a public one.
pub fn local_address(url: &Url) -> Option<SocketAddr> {
    let ip = match url.host()? {
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
        Host::Domain(_) => return None,
    };
    let port = url.port_or_known_default()?;
    (!is_public(ip)).then_some(SocketAddr::new(ip, port))
}

/// Reachable on the public internet by its number alone.
fn is_public(address: IpAddr) -> bool {
    match unwrap(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., _, _)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let part = address.segments();
    let global_unicast = part[0] & 0xe000 == 0x2000;
    let special = matches!(
        part,
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..]
    );
    global_unicast && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(hosts: &[&str], addresses: &[&str], url: &str) -> String {
        let addresses: Vec<String> = addresses.iter().map(|text| (*text).to_owned()).collect();
        let policy = Policy::new("source `crm`", hosts.iter().copied(), &addresses);
        match policy.admit(&Url::parse(url).unwrap()) {
            Ok(origin) => format!("{} {}", origin.host, origin.port),
            Err(problem) => problem.code.id.to_owned(),
        }
    }

    #[test]
    fn a_host_is_granted_with_its_port_and_below_a_star() {
        let hosts = ["api.example.com", "other.example:8443", "*.mail.example"];
        let cases = [
            ("https://api.example.com/x", "api.example.com 443"),
            ("https://API.Example.COM./x", "OF0401"),
            ("https://api.example.com:8443/", "OF0401"),
            ("https://other.example:8443/", "other.example 8443"),
            ("https://other.example/", "OF0401"),
            ("https://us1.mail.example/", "us1.mail.example 443"),
            ("https://mail.example/", "OF0401"),
            ("https://evilmail.example/", "OF0401"),
            ("https://api.example.com.evil.example/", "OF0401"),
            ("https://api.example.com@evil.example/", "OF0405"),
            ("http://api.example.com/", "OF0401"),
            ("http://api.example.com:443/", "OF0403"),
        ];
        for (url, expected) in cases {
            assert_eq!(verdict(&hosts, &[], url), expected, "{url}");
        }
    }

    #[test]
    fn a_granted_address_grants_itself_with_its_port_and_nothing_else() {
        let addresses = ["127.0.0.1:8420", "[::1]:8420"];
        let cases = [
            ("http://127.0.0.1:8420/", "127.0.0.1 8420"),
            ("https://127.0.0.1:8420/", "127.0.0.1 8420"),
            ("http://[::1]:8420/", "[::1] 8420"),
            // The same number by way of something else.
            ("http://[::ffff:127.0.0.1]:8420/", "OF0402"),
            ("http://[::127.0.0.1]:8420/", "OF0402"),
            ("http://[::ffff:0:127.0.0.1]:8420/", "OF0402"),
            ("http://[2002:7f00:1::]:8420/", "OF0402"),
            ("http://[2002:7f00:1::1]:8420/", "OF0402"),
            ("http://[64:ff9b::127.0.0.1]:8420/", "OF0402"),
            ("http://[::2]:8420/", "OF0402"),
            ("http://127.0.0.1:8421/", "OF0402"),
            ("http://127.0.0.2:8420/", "OF0402"),
            ("http://localhost:8420/", "OF0401"),
        ];
        for (url, expected) in cases {
            assert_eq!(verdict(&[], &addresses, url), expected, "{url}");
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "2001:0:1::1",
            "2001:db8::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ];
        for text in special {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
