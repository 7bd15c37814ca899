//! Where a connector comes from, and what is seen of it before a hub takes it: a registry, a web server, a file, or a
//! bundle. Fetches and examines; what is taken is written by `take`.

mod bundle;
mod take;
mod wire;

pub use bundle::pack;
pub use take::{Change, Taken, release, take};
pub use wire::{Access, Ask, Login, Wire, authority, bad_source, header, is_loopback};

use crate::host::Host;
use crate::kit::lock::{Entry, Granted, guard, is_file_name};
use crate::kit::mappings;
use crate::kit::oci::{self, Reference};
use crate::kit::signature::{self, Verdict};
use crate::manifest::Signers;
use crate::problem::{Problem, codes, is_plain_line};
use std::path::{Path, PathBuf};
use url::Url;

/// No component is larger; interpreters of whole languages are a tenth of it.
pub const COMPONENT_BYTES: u64 = 256 << 20;

/// A place that an operator named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Registry(Reference),
    Web(Url),
    File(PathBuf),
}

/// A component as it came, with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// As the lock will have it.
    pub source: String,
    pub component: Vec<u8>,
    pub signature: Option<String>,
    /// What a bundle's lock says of it.
    pub locked: Option<Entry>,
}

/// A package that a hub could take, and what it would lock.
pub struct Candidate {
    pub entry: Entry,
    pub title: String,
    pub verdict: Verdict,
    pub package: Package,
}

impl Source {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if let Some(reference) = Reference::parse(text) {
            return Ok(Self::Registry(reference?));
        }
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return match text.split_once("://") {
                Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => Err(
                    bad_reference(&format!("`{scheme}` is not a way to fetch a connector")),
                ),
                _ => Ok(Self::File(PathBuf::from(text))),
            };
        }
        let url = Url::parse(text)
            .map_err(|error| bad_reference(&format!("the URL cannot be read: {error}")))?;
        // It is written into the lock, and a lock is shared.
        let is_bare = url.username().is_empty() && url.password().is_none();
        match is_bare && url.fragment().is_none() {
            true => Ok(Self::Web(url)),
            false => Err(bad_reference(
                "a URL may carry no user name, no password and no fragment",
            )),
        }
    }

    /// Fetches what is there: one connector, or all connectors of a bundle.
    pub async fn fetch(&self, wire: &Wire) -> Result<Vec<Package>, Problem> {
        let (source, bytes, signature) = match self {
            Self::Registry(reference) => {
                let pulled = oci::pull(wire, reference).await?;
                (reference.to_string(), pulled.component, pulled.signature)
            }
            Self::Web(url) => {
                let bytes = download(wire, url, COMPONENT_BYTES).await?;
                let bytes = bytes.ok_or_else(|| {
                    let authority = authority(url);
                    not_there(format!("`{authority}` does not have `{}`", url.path()))
                })?;
                if bundle::is_one(&bytes) {
                    return bundle::unpack(&bytes);
                }
                let mut signature_url = url.clone();
                signature_url.set_path(&format!("{}.sig", url.path()));
                let signature = download(wire, &signature_url, signature::MOST_BYTES).await?;
                let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                (url.to_string(), bytes, signature)
            }
            Self::File(path) => {
                let bytes = read(path)?;
                if bundle::is_one(&bytes) {
                    return bundle::unpack(&bytes);
                }
                let signature = signature::read(&guard::signature_path(path))?;
                (path.display().to_string(), bytes, signature)
            }
        };
        Ok(vec![Package {
            source,
            component: bytes,
            signature,
            locked: None,
        }])
    }
}

/// Looks at a component as a hub would: is it a connector, whose, and what does it ask for? It runs once, without
/// grants, to say what it is, and only after its bytes and its signer were found to be the wanted ones.
pub fn examine(
    host: &Host,
    package: Package,
    signers: &Signers,
    wanted: Option<&str>,
) -> Result<Candidate, Problem> {
    let about = |mut problem: Problem| {
        problem.message = format!("`{}`: {}", package.source, problem.message);
        problem
    };
    let digest = wanted_bytes(&package, wanted)?;
    let verdict = signature::judge(
        &package.component,
        package.signature.as_deref(),
        &signers.trusted,
    )
    .map_err(about)?;
    // Before any of its code runs.
    guard::admit_signer(&package.source, &verdict, signers)?;
    let component = host.load(&package.component).map_err(about)?;
    let description = component.describe().map_err(about)?;
    if !is_file_name(&description.name) {
        return Err(about(Problem::new(
            &codes::WRONG_DESCRIPTION,
            format!(
                "the connector calls itself `{}`, which cannot be a file's name",
                description.name
            ),
        )));
    }
    mappings::check(&description).map_err(about)?;
    let entry = Entry {
        name: description.name.clone(),
        version: description.version.clone(),
        source: package.source.clone(),
        digest,
        signer: match &verdict {
            Verdict::Trusted(name) => Some(name.clone()),
            Verdict::Unsigned | Verdict::Stranger(_) => None,
        },
        contract: component.contract().to_owned(),
        granted: Granted::of(&description),
    };
    if let Some(locked) = &package.locked
        && locked.name != entry.name
    {
        return Err(Problem::new(
            &codes::BAD_BUNDLE,
            format!(
                "what the bundle calls `{}` calls itself `{}`",
                locked.name, entry.name
            ),
        ));
    }
    Ok(Candidate {
        title: description.title.clone(),
        entry,
        verdict,
        package,
    })
}

/// The digest of a package's bytes, if they are the ones that the operator and a bundle's lock want.
fn wanted_bytes(package: &Package, wanted: Option<&str>) -> Result<String, Problem> {
    let source = &package.source;
    // It is shown before anybody agrees, and is in the lock.
    if !is_plain_line(source) {
        let shown: String = source.escape_debug().take(120).collect();
        return Err(bad_reference(&format!(
            "there are control characters in `{shown}`"
        )));
    }
    let digest = signature::digest(&package.component);
    let other = |text: String| {
        let problem = Problem::new(&codes::DIGEST_MISMATCH, text);
        Err(problem.hint("do not use it; nothing was kept"))
    };
    match (&package.locked, wanted) {
        (_, Some(wanted)) if wanted != digest => other(format!(
            "`{source}` has other bytes: wanted `{wanted}`, got `{digest}`"
        )),
        (Some(locked), _) if locked.digest != digest => other(format!(
            "`{source}`: `{}` has other bytes than the bundle's lock says: wanted `{}`, got `{digest}`",
            locked.name, locked.digest
        )),
        _ => Ok(digest),
    }
}

/// A file's bytes, if they are not more than any connector has.
pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let shown = path.display();
    let length = std::fs::metadata(path).map(|found| found.len());
    let bytes = match length {
        Ok(length) if length > COMPONENT_BYTES => {
            return Err(bad_source(format!(
                "`{shown}` has {length} bytes; {COMPONENT_BYTES} are allowed"
            )));
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    bytes.map_err(|error| not_there(format!("`{shown}` cannot be read: {error}")))
}

/// The body; none when the server does not have it.
async fn download(wire: &Wire, url: &Url, most: u64) -> Result<Option<Vec<u8>>, Problem> {
    let response = wire
        .send(&Ask::get(url.clone(), most), &wire.own_login())
        .await?;
    match response.status {
        200 => Ok(Some(response.body)),
        404 | 410 => Ok(None),
        401 | 403 => Err(oci::refused(url, response.status, "", &wire.access)),
        status => Err(bad_source(format!(
            "`{}` answers HTTP {status}",
            authority(url)
        ))),
    }
}

fn not_there(message: String) -> Problem {
    Problem::new(&codes::NOT_AT_SOURCE, message)
}

fn bad_reference(message: &str) -> Problem {
    Problem::new(&codes::BAD_REFERENCE, message)
        .hint("write `oci://HOST/REPOSITORY:TAG`, `https://…`, or the path of a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_registry_a_web_server_or_a_file() {
        let kind = |text: &str| match Source::parse(text) {
            Ok(Source::Registry(_)) => "registry",
            Ok(Source::Web(_)) => "web",
            Ok(Source::File(_)) => "file",
            Err(problem) => problem.code.id,
        };
        let cases = [
            ("oci://example.com/crm:1", "registry"),
            ("oci://example.com/crm", "OF0341"),
            ("https://example.com/crm.wasm", "web"),
            ("http://example.com/crm.wasm", "web"),
            ("https://ada:secret@example.com/crm.wasm", "OF0341"),
            ("https://example.com/crm.wasm#x", "OF0341"),
            ("ftp://example.com/crm.wasm", "OF0341"),
            ("crm.wasm", "file"),
            ("./oci:/crm.wasm", "file"),
            ("C:\\crm.wasm", "file"),
        ];
        for (text, expected) in cases {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_bytes_that_were_wanted_are_looked_at() {
        let package = |source: &str| Package {
            source: source.to_owned(),
            component: b"one".to_vec(),
            signature: None,
            locked: None,
        };
        let digest = signature::digest(b"one");
        let digest_of = |source: &str, wanted: Option<&str>| {
            wanted_bytes(&package(source), wanted).map_err(|problem| problem.code.id)
        };
        assert_eq!(digest_of("crm.wasm", None), Ok(digest.clone()));
        assert_eq!(digest_of("crm.wasm", Some(&digest)), Ok(digest.clone()));
        let other = signature::digest(b"two");
        assert_eq!(digest_of("crm.wasm", Some(&other)), Err("OF0346"));
        for hidden in ["a\nsigned by acme", "a\u{1b}[1A", "a\u{202e}b"] {
            assert_eq!(digest_of(hidden, None), Err("OF0341"), "{hidden:?}");
        }
    }
}
