//! Who may do what at the registry: everybody, clients that know a password, or clients that fetch a token first.

use crate::vendors::http::{Reply, Request};
use serde_json::json;

pub const USER: &str = "ada";
pub const PASSWORD: &str = "registry-password";

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    #[default]
    Open,
    /// Basic authentication for everything.
    Password,
    /// Tokens for one repository and for reading or writing, as the public registries hand them out: reading to
    /// everybody, writing for a password.
    Token,
}

impl Gate {
    /// The reply to a client that may not pass, or to a request for a token.
    pub fn answer(self, request: &Request) -> Option<Reply> {
        match self {
            Self::Open => None,
            Self::Password if knows_password(request) => None,
            Self::Password => Some(
                super::error(401, "UNAUTHORIZED")
                    .with("www-authenticate", "Basic realm=\"registry\""),
            ),
            Self::Token if request.path == "/token" => Some(hand_out(request)),
            Self::Token => {
                let wanted = scope(request);
                let token = format!("token for {wanted}");
                if request.bearer() == Some(&token) {
                    return None;
                }
                let host = request.header("host").unwrap_or_default();
                let challenge = format!(
                    "Bearer realm=\"http://{host}/token\",service=\"registry.test\",scope=\"{wanted}\""
                );
                Some(super::error(401, "UNAUTHORIZED").with("www-authenticate", challenge))
            }
        }
    }
}

fn knows_password(request: &Request) -> bool {
    let given = request.basic();
    given.is_some_and(|(user, password)| user == USER && password == PASSWORD)
}

/// What a request needs: `repository:NAME:pull` or `…:pull,push`.
fn scope(request: &Request) -> String {
    let segments = request.segments();
    let at = segments
        .iter()
        .rposition(|part| matches!(*part, "blobs" | "manifests"));
    let name = segments.get(1..at.unwrap_or(1)).unwrap_or_default();
    let right = match request.method.as_str() {
        "GET" | "HEAD" => "pull",
        _ => "pull,push",
    };
    format!("repository:{}:{right}", name.join("/"))
}

fn hand_out(request: &Request) -> Reply {
    let scope = request.query("scope").unwrap_or_default();
    if request.query("service") != Some("registry.test") || request.method != "GET" {
        return super::error(400, "UNSUPPORTED");
    }
    if request.header("authorization").is_some() && !knows_password(request) {
        return super::error(401, "UNAUTHORIZED");
    }
    if scope.ends_with(",push") && !knows_password(request) {
        return super::error(403, "DENIED");
    }
    Reply::json(
        200,
        &json!({"token": format!("token for {scope}"), "expires_in": 300}),
    )
}
