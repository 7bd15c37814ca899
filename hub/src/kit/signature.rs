//! Ed25519 signatures of connectors: making keys, signing a component's digest, and judging a signature by the keys
//! that a hub trusts. Knows no registry and no lock.

use crate::manifest::TrustedKey;
use crate::problem::{Problem, codes};
use crate::vault::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is signed begins with this, so that no signature over anything else can pass for one over a connector.
const DOMAIN: &str = "onefold connector signature 1\n";
const LAYOUT: u32 = 1;
/// No signature file is longer.
pub const MOST_BYTES: u64 = 16 << 10;
/// What precedes the 32 bytes of a private key in PKCS#8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// The file next to a component.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    digest: String,
    public_key: String,
    signature: String,
}

/// Whose a good signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Unsigned,
    /// The manifest's name for the key.
    Trusted(String),
    /// A key that nobody vouches for, in base64.
    Stranger(String),
}

/// A private key. It has no `Debug`.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// A new key, as the text of a PEM file, and itself.
    pub fn generate() -> Result<(String, Self), Problem> {
        let unusable = || bad_key("this machine provides no random numbers");
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| unusable())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| unusable())?;
        let body = BASE64.encode([&PKCS8_HEAD[..], &seed].concat());
        let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        Ok((text, Self(pair)))
    }

    /// From PKCS#8, in PEM or as its base64 alone.
    pub fn parse(secret: &Secret) -> Result<Self, Problem> {
        let lines = secret.expose().lines().map(str::trim);
        let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let pair = BASE64
            .decode(body)
            .ok()
            .and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok());
        pair.map(Self)
            .ok_or_else(|| bad_key("the secret of `--key` is not an Ed25519 private key"))
    }

    /// The public half in base64, as a manifest names it.
    pub fn public(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// The text of the file next to the component.
    pub fn sign(&self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let signature = self.0.sign(message(&digest).as_bytes());
        let wire = Wire {
            version: LAYOUT,
            public_key: self.public(),
            signature: BASE64.encode(signature.as_ref()),
            digest,
        };
        let text = serde_json::to_string_pretty(&wire).expect("four texts can always be written");
        text + "\n"
    }
}

/// `sha256:` and 64 digits.
pub fn digest(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let digits: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{digits}")
}

/// Whether a text is a digest as `digest` writes it.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Looks whether the signature is one of these bytes, and whose. A signature that is not is an error, required or not.
pub fn judge(
    bytes: &[u8],
    signature: Option<&str>,
    trusted: &[TrustedKey],
) -> Result<Verdict, Problem> {
    let Some(text) = signature else {
        return Ok(Verdict::Unsigned);
    };
    let wire: Wire = serde_json::from_str(text)
        .map_err(|error| bad_signature(format!("the signature cannot be read: {error}")))?;
    if wire.version != LAYOUT {
        return Err(bad_signature(format!(
            "the signature has the form {}, and this hub knows the form {LAYOUT}",
            wire.version
        )));
    }
    let actual = digest(bytes);
    if wire.digest != actual {
        let named = short(&wire.digest);
        return Err(bad_signature(format!(
            "the signature is for `{named}`, and the bytes are `{actual}`"
        )));
    }
    let key: Option<[u8; 32]> = BASE64
        .decode(&wire.public_key)
        .ok()
        .and_then(|key| key.try_into().ok());
    let (Some(key), Ok(signature)) = (key, BASE64.decode(&wire.signature)) else {
        return Err(bad_signature("the signature is damaged"));
    };
    let good =
        UnparsedPublicKey::new(&ED25519, key).verify(message(&actual).as_bytes(), &signature);
    if good.is_err() {
        return Err(bad_signature(
            "the signature was not made with the key that it names",
        ));
    }
    Ok(match trusted.iter().find(|one| one.key == key) {
        Some(one) => Verdict::Trusted(one.name.clone()),
        None => Verdict::Stranger(BASE64.encode(key)),
    })
}

/// The signature in a file; none when there is no file.
pub fn read(path: &Path) -> Result<Option<String>, Problem> {
    let length = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    if length > MOST_BYTES {
        let shown = path.display();
        return Err(bad_signature(format!(
            "`{shown}` is longer than a signature"
        )));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn message(digest: &str) -> String {
    format!("{DOMAIN}{digest}\n")
}

fn short(text: &str) -> String {
    text.escape_debug().to_string().chars().take(80).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    bad_signature(format!("`{}` cannot be read: {error}", path.display()))
}

fn bad_key(message: &str) -> Problem {
    Problem::new(&codes::BAD_KEY, message)
        .hint("`onefold connector key new FILE` makes one; name it as `file:PATH` or `env:NAME`")
}

fn bad_signature(message: impl Into<String>) -> Problem {
    Problem::new(&codes::BAD_SIGNATURE, message)
        .hint("do not use it; fetch the connector and its signature again from their author")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate().unwrap().1
    }

    fn trusted(name: &str, key: &SigningKey) -> TrustedKey {
        TrustedKey {
            name: name.to_owned(),
            key: BASE64.decode(key.public()).unwrap().try_into().unwrap(),
        }
    }

    #[test]
    fn a_signature_is_good_for_its_bytes_and_names_whoever_the_manifest_knows() {
        let (ours, theirs) = (key(), key());
        let keys = [trusted("acme", &ours)];
        let text = ours.sign(b"component");
        assert_eq!(
            judge(b"component", Some(&text), &keys).unwrap(),
            Verdict::Trusted("acme".to_owned())
        );
        assert_eq!(judge(b"component", None, &keys).unwrap(), Verdict::Unsigned);
        let text = theirs.sign(b"component");
        assert_eq!(
            judge(b"component", Some(&text), &keys).unwrap(),
            Verdict::Stranger(theirs.public())
        );
    }

    #[test]
    fn every_changed_byte_of_the_component_or_its_signature_is_noticed() {
        let key = key();
        let keys = [trusted("acme", &key)];
        let component = b"a component".to_vec();
        let text = key.sign(&component);
        for at in 0..component.len() {
            let mut changed = component.clone();
            changed[at] ^= 1;
            let problem = judge(&changed, Some(&text), &keys).unwrap_err();
            assert_eq!(problem.code.id, "OF0351", "{at}");
        }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let signature = BASE64.decode(value["signature"].as_str().unwrap()).unwrap();
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            let mut value = value.clone();
            value["signature"] = BASE64.encode(changed).into();
            let problem = judge(&component, Some(&value.to_string()), &keys).unwrap_err();
            assert_eq!(problem.code.id, "OF0351", "{at}");
        }
    }

    #[test]
    fn a_signature_that_claims_a_trusted_key_is_no_signature_of_it() {
        let (ours, theirs) = (key(), key());
        let mut value: serde_json::Value =
            serde_json::from_str(&theirs.sign(b"component")).unwrap();
        value["public_key"] = ours.public().into();
        let problem = judge(
            b"component",
            Some(&value.to_string()),
            &[trusted("acme", &ours)],
        );
        assert_eq!(problem.unwrap_err().code.id, "OF0351");
    }

    #[test]
    fn a_key_is_read_from_its_pem_and_from_the_base64_alone() {
        let (text, key) = SigningKey::generate().unwrap();
        let body = text.lines().nth(1).unwrap();
        for text in [text.as_str(), body] {
            let again = SigningKey::parse(&Secret::new(text).unwrap()).unwrap();
            assert_eq!(again.public(), key.public());
        }
        let wrong = SigningKey::parse(&Secret::new("not a key").unwrap());
        assert_eq!(wrong.err().unwrap().code.id, "OF0352");
    }

    #[test]
    fn the_key_and_the_digest_are_those_of_rfc_8032_and_fips_180() {
        // RFC 8032, section 7.1, test 1, in the PKCS#8 form of RFC 8410.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let text = BASE64.encode([&PKCS8_HEAD[..], &seed].concat());
        let key = SigningKey::parse(&Secret::new(&text).unwrap()).unwrap();
        assert_eq!(key.public(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!(
            digest(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
