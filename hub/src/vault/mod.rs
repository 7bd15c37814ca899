//! Secrets: looked up where a manifest points, used without being shown, and removed from any text that leaves the hub.
//! Knows neither HTTP nor connectors.

mod scrub;

pub use scrub::{Known, Scrubber, replacement};

use crate::files;
use crate::manifest::SecretRef;
use crate::problem::{Place, Problem, codes};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Of a secret's file.
const MOST_BYTES: u64 = 64 << 10;

/// A secret's value. It has no `Debug` and no `Display`, so it cannot be logged by accident.
#[derive(Clone)]
pub struct Secret(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacKind {
    Sha1,
    Sha256,
    Sha512,
}

impl Secret {
    /// None when there is nothing in it.
    pub fn new(value: &str) -> Option<Self> {
        (!value.is_empty()).then(|| Self(value.into()))
    }

    /// The value itself: only for the request that it authorises.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A signature of `data` with the value as the key.
    pub fn mac(&self, kind: MacKind, data: &[u8]) -> Vec<u8> {
        let key = self.0.as_bytes();
        match kind {
            MacKind::Sha1 => sign::<Hmac<Sha1>>(key, data),
            MacKind::Sha256 => sign::<Hmac<Sha256>>(key, data),
            MacKind::Sha512 => sign::<Hmac<Sha512>>(key, data),
        }
    }
}

fn sign<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Where secrets are looked up.
pub struct Vault<'a> {
    /// Reads an environment variable.
    pub read_env: &'a dyn Fn(&str) -> Option<String>,
    /// Relative `file:` paths start here.
    pub folder: &'a Path,
}

impl Vault<'_> {
    /// Finds every secret of one source or destination, or names every one that is missing.
    pub fn open(
        &self,
        owner: &str,
        wanted: &BTreeMap<String, SecretRef>,
    ) -> Result<BTreeMap<String, Secret>, Vec<Problem>> {
        let mut secrets = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, reference) in wanted {
            match self.find(reference) {
                Ok(secret) => {
                    secrets.insert(name.clone(), secret);
                }
                Err(why) => problems.push(missing(owner, name, &why)),
            }
        }
        if problems.is_empty() {
            Ok(secrets)
        } else {
            Err(problems)
        }
    }

    fn find(&self, reference: &SecretRef) -> Result<Secret, String> {
        match reference {
            SecretRef::Env(name) => {
                let value = (self.read_env)(name)
                    .ok_or_else(|| format!("points to `env:{name}`, which is not set"))?;
                Secret::new(value.trim())
                    .ok_or_else(|| format!("points to `env:{name}`, which is empty"))
            }
            SecretRef::File(path) => {
                let read = files::read_text(&self.folder.join(path), MOST_BYTES);
                let text = read.map_err(|why| format!("points to `file:{path}`, which {why}"))?;
                Secret::new(text.trim())
                    .ok_or_else(|| format!("points to `file:{path}`, which is empty"))
            }
        }
    }
}

fn missing(owner: &str, name: &str, why: &str) -> Problem {
    Problem::new(
        &codes::SECRET_MISSING,
        format!("`credential.{name}` of `{owner}` {why}"),
    )
    .hint("set it (a file is a regular one of at most 64 KiB) and run again; nothing was called")
    .at(Place::Record {
        source: owner.to_owned(),
        stream: None,
        key: None,
        field: Some(format!("credential.{name}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some(" abc-123 \n".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn every_missing_secret_is_named_at_once() {
        let vault = Vault {
            read_env: &env,
            folder: Path::new("nowhere"),
        };
        let wanted = BTreeMap::from([
            ("a".to_owned(), SecretRef::Env("UNSET".to_owned())),
            ("b".to_owned(), SecretRef::File("gone.txt".to_owned())),
            ("c".to_owned(), SecretRef::Env("TOKEN".to_owned())),
            ("d".to_owned(), SecretRef::Env("EMPTY".to_owned())),
        ]);
        let problems = vault.open("crm", &wanted).err().unwrap_or_default();
        let texts: Vec<_> = problems
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert_eq!(
            texts,
            [
                "`credential.a` of `crm` points to `env:UNSET`, which is not set",
                "`credential.b` of `crm` points to `file:gone.txt`, which cannot be read: entity not found",
                "`credential.d` of `crm` points to `env:EMPTY`, which is empty",
            ]
        );
    }

    #[test]
    fn a_secret_is_trimmed_wherever_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "  k1\n").unwrap();
        let vault = Vault {
            read_env: &env,
            folder: folder.path(),
        };
        let wanted = BTreeMap::from([
            ("a".to_owned(), SecretRef::Env("TOKEN".to_owned())),
            ("b".to_owned(), SecretRef::File("key".to_owned())),
        ]);
        let secrets = vault.open("crm", &wanted).unwrap_or_default();
        assert_eq!(secrets["a"].expose(), "abc-123");
        assert_eq!(secrets["b"].expose(), "k1");
    }

    #[test]
    fn signatures_are_those_of_rfc_4231_test_case_2() {
        let secret = Secret::new("Jefe").unwrap();
        let mac = secret.mac(MacKind::Sha256, b"what do ya want for nothing?");
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
