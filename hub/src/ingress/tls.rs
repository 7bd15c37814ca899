//! Encrypted connections: a certificate and its key, read again when their files change. What is wrong with them is said before the hub
//! listens; an edit that cannot be used leaves the ones that were read before.

use crate::clock::Clock;
use crate::files;
use crate::problem::Problem;
use crate::problem::codes::{CERTIFICATE_EXPIRED, CERTIFICATE_UNREADABLE, KEY_DOES_NOT_FIT};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto::ring};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether the files changed.
const LOOK: Duration = Duration::from_secs(1);
/// A file of certificates or of a key has at most so many bytes.
const FILE_BYTES: u64 = 1 << 20;

/// What the files had when they were read.
type Stamp = [Option<(SystemTime, u64)>; 2];

pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    /// The last ones that were read, or that could not be used.
    stamp: Stamp,
    looked: Instant,
}

impl Tls {
    /// Reads both files. The second value warns of a certificate whose time is over or has not come.
    pub fn open(
        certificate: PathBuf,
        key: PathBuf,
        clock: Clock,
    ) -> Result<(Self, Option<Problem>), Problem> {
        let stamp = stamp(&certificate, &key);
        let (config, warning) = load(&certificate, &key, now_s(&clock))?;
        let state = State {
            config: Arc::new(config),
            stamp,
            looked: Instant::now(),
        };
        let tls = Self {
            certificate,
            key,
            clock,
            state: Mutex::new(state),
        };
        Ok((tls, warning))
    }

    /// For the next connection: the files as they are now, where they can be used.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() < LOOK {
            return state.config.clone();
        }
        state.looked = Instant::now();
        let stamp = stamp(&self.certificate, &self.key);
        if stamp != state.stamp {
            state.stamp = stamp;
            match load(&self.certificate, &self.key, now_s(&self.clock)) {
                Ok((config, warning)) => {
                    state.config = Arc::new(config);
                    tracing::info!("the certificate was read again");
                    if let Some(warning) = warning {
                        tracing::warn!(code = warning.code.id, "{}", warning.message);
                    }
                }
                Err(problem) => tracing::error!(
                    code = problem.code.id,
                    "{}; the certificate that was read before stays in use",
                    problem.message
                ),
            }
        }
        state.config.clone()
    }
}

fn now_s(clock: &Clock) -> i64 {
    clock.now().0.div_euclid(1_000)
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    })
}

fn load(
    certificate: &Path,
    key: &Path,
    now_s: i64,
) -> Result<(ServerConfig, Option<Problem>), Problem> {
    let text = read(certificate, "certificate")?;
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| not_pem(certificate, "certificate", &error))?;
    let Some(first) = chain.first() else {
        return Err(not_pem(
            certificate,
            "certificate",
            &pem::Error::NoItemsFound,
        ));
    };
    let warning = warning(certificate, first, now_s);
    let text = read(key, "key")?;
    let private = PrivateKeyDer::from_pem_slice(text.as_bytes());
    let private = private.map_err(|error| not_pem(key, "key", &error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let config = builder.and_then(|builder| {
        builder
            .with_no_client_auth()
            .with_single_cert(chain, private)
    });
    let mut config = config.map_err(|error| {
        let message = format!(
            "the key in `{}` cannot be used with the certificate in `{}`: {error}",
            key.display(),
            certificate.display()
        );
        Problem::new(&KEY_DOES_NOT_FIT, message).hint(
            "the first certificate of the file must be the hub's own, made for this very key; those of the authorities follow it",
        )
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, warning))
}

fn read(path: &Path, key: &str) -> Result<String, Problem> {
    files::read_text(path, FILE_BYTES).map_err(|unread| {
        let message = format!(
            "`{key}` of `[serve]` names `{}`, which {unread}",
            path.display()
        );
        Problem::new(&CERTIFICATE_UNREADABLE, message).hint(
            "paths begin at the hub's folder; the user that runs the hub must be allowed to read the file",
        )
    })
}

fn not_pem(path: &Path, key: &str, error: &pem::Error) -> Problem {
    let why = match error {
        pem::Error::NoItemsFound => format!("there is no {key} in it"),
        other => other.to_string(),
    };
    let message = format!(
        "`{key}` of `[serve]` names `{}`, which is not PEM with a {key}: {why}",
        path.display()
    );
    let begins = match key {
        "key" => "-----BEGIN PRIVATE KEY-----",
        _ => "-----BEGIN CERTIFICATE-----",
    };
    Problem::new(&CERTIFICATE_UNREADABLE, message).hint(format!(
        "the file must have a block that begins with `{begins}`; `openssl` can convert other forms"
    ))
}

fn warning(path: &Path, certificate: &[u8], now_s: i64) -> Option<Problem> {
    let (from, to) = validity(certificate)?;
    let what = match now_s {
        now if now > to => "has expired",
        now if now < from => "is not valid yet",
        _ => return None,
    };
    let message = format!("the certificate in `{}` {what}", path.display());
    let problem = Problem::new(&CERTIFICATE_EXPIRED, message).warning();
    Some(
        problem
            .hint("clients refuse it; put a new one in its place, which is read without a restart"),
    )
}

/// From when to when a certificate is valid, in seconds since 1970; none where it is not a certificate.
fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (inside, _) = element(certificate, 0x30)?;
    let (mut rest, _) = element(inside, 0x30)?;
    if let Some((_, after)) = element(rest, 0xa0) {
        rest = after;
    }
    // The serial number, the algorithm and the issuer.
    for tag in [0x02, 0x30, 0x30] {
        rest = element(rest, tag)?.1;
    }
    let (times, _) = element(rest, 0x30)?;
    let (from, rest) = time(times)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

/// The content of a DER element with that tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = bytes else {
        return None;
    };
    if *first != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        0x80 | 0x84.. => return None,
    };
    rest.split_at_checked(length)
}

/// A time in UTC (`UTCTime` with two digits of the year, or `GeneralizedTime` with four), and what follows it.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, century) = match element(bytes, 0x17) {
        Some((text, rest)) => (text, rest, true),
        None => {
            let (text, rest) = element(bytes, 0x18)?;
            (text, rest, false)
        }
    };
    let text = std::str::from_utf8(text).ok()?;
    let text = match (century, text.get(..2)?) {
        (false, _) => text.to_owned(),
        (true, year) if year >= "50" => format!("19{text}"),
        (true, _) => format!("20{text}"),
    };
    let time = chrono::NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?;
    Some((time.and_utc().timestamp(), rest))
}
