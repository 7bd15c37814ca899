//! URLs in a configuration: whether they are ones, and whether the connector may call them.

use crate::expression::closest;
use crate::manifest::Grants;
use crate::manifest::connection::reaches;
use crate::manifest::tree::{Hinted, Item, Report, Table};
use crate::model::{Description, Value};
use crate::problem::{Severity, codes};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use url::{Host, Url};

const BASE_URL: &str = "base_url";

/// Looks at what the schema says is a URL, and at `base_url`, which is one everywhere.
pub(super) fn check(
    config: &Table<'_>,
    description: &Description,
    grants: &Grants,
    report: &mut Report,
) {
    let properties = description.config_schema.get("properties");
    for item in config.items() {
        let of = properties.and_then(|properties| properties.get(item.key));
        let format = of.and_then(|of| of.get("format")).and_then(Value::as_str);
        if item.key == BASE_URL || matches!(format, Some("uri" | "url")) {
            check_url(&item, description, grants, report);
        }
    }
}

fn check_url(item: &Item<'_>, description: &Description, grants: &Grants, report: &mut Report) {
    let Some(text) = item.raw().as_str() else {
        return;
    };
    let parsed = Url::parse(text).ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
    let parsed = parsed.filter(|_| text.contains("://"));
    if parsed.is_none() && item.key != BASE_URL {
        // It may be a URL of another kind.
        return;
    }
    let Some(url) = parsed else {
        let message = format!(
            "`config.{}` is no URL: `http://` or `https://` comes first",
            item.key
        );
        let of_this_machine = ["localhost", "127.", "[::1]", "10.", "192.168."];
        let is_near = of_this_machine.iter().any(|start| text.starts_with(start));
        let scheme = if is_near { "http" } else { "https" };
        // What is before an `@` is a password.
        let is_bare = !text.contains("://") && !text.contains('@');
        let hint = is_bare.then(|| format!("write `{scheme}://{text}`"));
        report
            .error(&codes::BAD_CONFIG, &item.spot(), message)
            .with_hint(hint);
        return;
    };
    let Some(hint) = refused(&url, description, grants) else {
        return;
    };
    let message = format!(
        "`{}` may not call `{}`, so every request to it will be refused",
        description.name,
        url.host_str().unwrap_or_default()
    );
    let problem = report.error(&codes::NOT_GRANTED, &item.spot(), message);
    problem.with_hint(Some(hint));
    problem.severity = Severity::Warning;
}

/// What to grant, where a request to this URL would be refused. A name that leads to an address of the own network is only known
/// when it is called.
fn refused(url: &Url, description: &Description, grants: &Grants) -> Option<String> {
    let port = url.port_or_known_default()?;
    let granted = |address: SocketAddr| grants.addresses.contains(&address.to_string());
    let of_port = |granted: &String| {
        let granted = granted.parse::<SocketAddr>();
        granted.is_ok_and(|granted| granted.port() == port)
    };
    let address = match url.host()? {
        Host::Ipv4(ip) => SocketAddr::new(IpAddr::V4(ip), port),
        Host::Ipv6(ip) => SocketAddr::new(IpAddr::V6(ip), port),
        Host::Domain(name) => {
            let known = || description.hosts.iter().chain(&grants.hosts);
            let target = match url.port() {
                None | Some(443) => name.to_owned(),
                Some(port) => format!("{name}:{port}"),
            };
            if known().any(|host| reaches(&host.to_ascii_lowercase(), &target)) {
                return None;
            }
            if name == "localhost" {
                let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
                return Some(format!(
                    "grant it: `grant.hosts = [\"{target}\"]` and `grant.addresses = [\"{local}\"]`"
                ));
            }
            let near = closest(name, known().map(String::as_str));
            return Some(match near {
                Some(near) => format!("did you mean `{near}`, which may be called?"),
                None => format!("grant it: `grant.hosts = [\"{target}\"]`"),
            });
        }
    };
    if granted(address) {
        return None;
    }
    let is_another = grants.addresses.iter().any(of_port);
    let also = if is_another {
        "; another address of that port is granted"
    } else {
        ""
    };
    Some(format!(
        "grant it: `grant.addresses = [\"{address}\"]`{also}"
    ))
}
