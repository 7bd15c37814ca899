//! What a registry asks for before it answers, and how it is provided: basic authentication, or a token that another
//! server issues for one repository.

use crate::kit::registry::{Access, Ask, Login, Wire, authority, bad_source, is_loopback};
use crate::problem::{Problem, codes};
use crate::vault::Secret;
use serde::Deserialize;
use url::Url;

const TOKEN_BYTES: u64 = 1 << 20;

/// The value of `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer {
        realm: String,
        /// `service`, `scope`
        parameters: Vec<(String, String)>,
    },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        let at = parameters.iter().position(|(name, _)| name == "realm")?;
        let (_, realm) = parameters.remove(at);
        parameters.retain(|(name, _)| name == "service" || name == "scope");
        Some(Self::Bearer { realm, parameters })
    }
}

/// `name="value"` with commas between; a value may hold commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name, value.trim().to_owned()));
        rest = after;
    }
    found
}

/// How to ask again after `registry` wanted to know who asks; none when there is nothing to say.
pub async fn log_in(
    wire: &Wire,
    registry: &Url,
    challenge: &Challenge,
) -> Result<Option<Login>, Problem> {
    let (realm, parameters) = match (challenge, wire.own_login()) {
        (Challenge::Basic, Login::Nobody) => return Ok(None),
        // A token without a name is the operator's own, and a registry that issues others accepts it as it is.
        (_, login @ Login::Bearer(_)) | (Challenge::Basic, login) => return Ok(Some(login)),
        (Challenge::Bearer { realm, parameters }, _) => (realm, parameters),
    };
    let mut url = Url::parse(realm)
        .ok()
        .filter(|url| is_loopback(registry) || !is_loopback(url))
        .ok_or_else(|| {
            let authority = authority(registry);
            bad_source(format!(
                "`{authority}` names an address for tokens that is not valid"
            ))
        })?;
    url.query_pairs_mut()
        .extend_pairs(parameters.iter().map(|(name, value)| (name, value)));
    let response = wire
        .send(&Ask::get(url.clone(), TOKEN_BYTES), &wire.own_login())
        .await?;
    if response.status != 200 {
        return Err(refused(&url, response.status, "", &wire.access));
    }
    let token: Option<Token> = serde_json::from_slice(&response.body).ok();
    let token = token.and_then(|token| token.token.or(token.access_token));
    let secret = token.as_deref().and_then(Secret::new);
    match secret {
        Some(secret) => Ok(Some(Login::Bearer(secret))),
        None => Err(bad_source(format!(
            "`{}` returns no token",
            authority(&url)
        ))),
    }
}

/// `code` is the registry's own word, empty when it said none.
pub fn refused(url: &Url, status: u16, code: &str, access: &Access) -> Problem {
    let word = match code {
        "" => String::new(),
        code => format!(" ({code})"),
    };
    let problem = Problem::new(
        &codes::SOURCE_REFUSED,
        format!("`{}` refuses: HTTP {status}{word}", authority(url)),
    );
    match &access.secret {
        None => problem.hint("name the place of a password or token: `--credential env:NAME`, with `--username` if it wants a name"),
        Some(_) => problem.hint("look whether the credential is good, and whether it may do this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_however_it_is_written() {
        let bearer = |realm: &str, parameters: &[(&str, &str)]| {
            let parameters = parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                parameters: parameters.collect(),
            })
        };
        let cases = [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"r.example\",scope=\"repository:a/b:pull,push\"",
                bearer(
                    "https://auth.example/token",
                    &[
                        ("service", "r.example"),
                        ("scope", "repository:a/b:pull,push"),
                    ],
                ),
            ),
            (
                "BEARER Service=r.example, error=\"invalid_token\", Realm=\"https://auth.example\"",
                bearer("https://auth.example", &[("service", "r.example")]),
            ),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Challenge::parse(text), expected, "{text}");
        }
    }
}
