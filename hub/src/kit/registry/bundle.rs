//! A bundle: all locked connectors of a hub with their signatures and the lock, in one tar file, for a hub without a
//! network. Its content is trusted no more than what comes from a registry.

use crate::kit::lock::{self, FILE, FOLDER, Lock, signature_path};
use crate::kit::registry::{COMPONENT_BYTES, Package, read};
use crate::kit::signature::{self, is_digest};
use crate::problem::{Problem, codes};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use tar::{Archive, Builder, EntryType, Header};

const LOCK_BYTES: u64 = 4 << 20;
/// No bundle holds more files.
const FILES: usize = 1_000;

/// Whether these are the bytes of a tar file.
pub fn is_one(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// The bytes of a hub's bundle. The same connectors give the same bytes.
pub fn pack(hub_folder: &Path) -> Result<(Lock, Vec<u8>), Problem> {
    let lock = Lock::read(hub_folder)?;
    let mut bundle = Builder::new(Vec::new());
    add(&mut bundle, FILE, lock.text()?.as_bytes())?;
    for entry in &lock.entries {
        let path = lock::component_path(hub_folder, &entry.name);
        let bytes = read(&path)?;
        let digest = signature::digest(&bytes);
        if digest != entry.digest {
            return Err(Problem::new(
                &codes::LOCK_BROKEN,
                format!(
                    "`{}` is not what `{FILE}` names: wanted `{}`, found `{digest}`",
                    path.display(),
                    entry.digest
                ),
            )
            .hint("a bundle holds only what is locked; add the connector again first"));
        }
        let name = format!("{FOLDER}/{}.wasm", entry.name);
        add(&mut bundle, &name, &bytes)?;
        if let Some(text) = signature::read(&signature_path(&path))? {
            add(&mut bundle, &format!("{name}.sig"), text.as_bytes())?;
        }
    }
    let bytes = bundle.into_inner().map_err(|error| broken(&error))?;
    // A hub that adds it reads at most this much, so a larger one must not be made.
    if bytes.len() as u64 > COMPONENT_BYTES {
        let length = bytes.len();
        return Err(bad(&format!(
            "would have {length} bytes; {COMPONENT_BYTES} are allowed"
        )));
    }
    unpack(&bytes)?;
    Ok((lock, bytes))
}

fn add(bundle: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) -> Result<(), Problem> {
    let mut header = Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    bundle
        .append_data(&mut header, name, content)
        .map_err(|error| broken(&error))
}

/// What is in a bundle. Nothing is written to disk, whatever its names say.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Package>, Problem> {
    let mut files = files(bytes)?;
    let lock = files.remove(FILE).ok_or_else(|| bad("has no lock"))?;
    let lock = String::from_utf8(lock).map_err(|_| bad("has a lock that is not text"))?;
    let lock = Lock::parse(&lock).map_err(|problem| {
        bad(&format!(
            "has a lock that cannot be used: {}",
            problem.message
        ))
    })?;
    let mut packages = Vec::new();
    for entry in lock.entries {
        if !is_digest(&entry.digest) {
            let message = format!(
                "has a lock in which the digest of `{}` is not valid",
                entry.name
            );
            return Err(bad(&message));
        }
        let name = format!("{FOLDER}/{}.wasm", entry.name);
        let component = files
            .remove(&name)
            .ok_or_else(|| bad(&format!("lacks `{name}`, which its lock names")))?;
        let signature = files.remove(&format!("{name}.sig"));
        packages.push(Package {
            source: entry.source.clone(),
            component,
            signature: signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            locked: Some(entry),
        });
    }
    match files.into_keys().next() {
        Some(name) => Err(stranger(&name)),
        None => Ok(packages),
    }
}

fn files(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
    let mut archive = Archive::new(bytes);
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let most = match name.as_str() {
            FILE => LOCK_BYTES,
            name if name.ends_with(".wasm") => COMPONENT_BYTES,
            name if name.ends_with(".wasm.sig") => signature::MOST_BYTES,
            _ => return Err(stranger(&name)),
        };
        if entry.header().entry_type() != EntryType::Regular {
            return Err(stranger(&name));
        }
        let size = entry.size();
        if size > most || files.len() >= FILES {
            return Err(bad("is larger than any bundle"));
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|error| broken(&error))?;
        if content.len() as u64 != size {
            return Err(bad("is cut off"));
        }
        if files.insert(name.clone(), content).is_some() {
            return Err(bad("holds a file twice"));
        }
    }
    Ok(files)
}

fn stranger(name: &str) -> Problem {
    let shown: String = name.escape_debug().to_string().chars().take(120).collect();
    bad(&format!("holds `{shown}`, which belongs into no bundle"))
}

fn broken(error: &std::io::Error) -> Problem {
    bad(&format!("cannot be read: {error}"))
}

fn bad(why: &str) -> Problem {
    Problem::new(&codes::BAD_BUNDLE, format!("the bundle {why}"))
        .hint("`onefold connector bundle FILE.tar` makes one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bundle = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_entry_type(EntryType::Regular);
            // Past the checks of the library that keep names inside.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            bundle.append(&header, *content).unwrap();
        }
        bundle.into_inner().unwrap()
    }

    fn hub() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let mut lock = Lock::default();
        for (name, content) in [("crm", &b"one"[..]), ("mail", b"two")] {
            let path = lock::component_path(folder.path(), name);
            std::fs::write(&path, content).unwrap();
            lock.put(lock::Entry {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                source: format!("oci://example.com/{name}:1.0.0"),
                digest: signature::digest(content),
                signer: None,
                contract: "0.1.0".to_owned(),
                granted: lock::Granted::default(),
            });
        }
        std::fs::write(folder.path().join("connectors/mail.wasm.sig"), "{}").unwrap();
        lock.write(folder.path()).unwrap();
        folder
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let hub = hub();
        let (lock, bytes) = pack(hub.path()).unwrap();
        assert!(is_one(&bytes));
        assert_eq!(
            pack(hub.path()).unwrap().1,
            bytes,
            "the same bytes each time"
        );
        let packages = unpack(&bytes).unwrap();
        let locked: Vec<_> = packages
            .iter()
            .filter_map(|one| one.locked.clone())
            .collect();
        assert_eq!(locked, lock.entries);
        let found: Vec<_> = packages
            .iter()
            .map(|one| (&*one.source, &*one.component, one.signature.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("oci://example.com/crm:1.0.0", &b"one"[..], None),
                ("oci://example.com/mail:1.0.0", b"two", Some("{}")),
            ]
        );
    }

    #[test]
    fn only_what_is_locked_is_packed() {
        let hub = hub();
        std::fs::write(hub.path().join("connectors/crm.wasm"), "0ne").unwrap();
        assert_eq!(pack(hub.path()).unwrap_err().code.id, "OF0347");
    }

    #[test]
    fn a_bundle_with_anything_else_in_it_is_refused() {
        let hub = hub();
        let lock = std::fs::read(hub.path().join(FILE)).unwrap();
        let all: [(&str, &[u8]); 3] = [
            (FILE, &lock),
            ("connectors/crm.wasm", b"one"),
            ("connectors/mail.wasm", b"two"),
        ];
        assert_eq!(unpack(&tar(&all)).unwrap().len(), 2);
        type Files<'f> = Vec<(&'f str, &'f [u8])>;
        let cases: [(&str, Files<'_>); 5] = [
            ("has no lock", all[1..].to_vec()),
            ("lacks `connectors/mail.wasm`", all[..2].to_vec()),
            (
                "holds `../evil`",
                [&all[..], &[("../evil", &b"x"[..])]].concat(),
            ),
            (
                "holds `connectors/../../evil.wasm`",
                [&all[..], &[("connectors/../../evil.wasm", &b"x"[..])]].concat(),
            ),
            ("holds a file twice", [&all[..], &all[1..2]].concat()),
        ];
        for (expected, files) in cases {
            let problem = unpack(&tar(&files)).unwrap_err();
            assert_eq!(problem.code.id, "OF0355");
            assert!(problem.message.contains(expected), "{}", problem.message);
        }
        let whole = tar(&all);
        let cut = unpack(&whole[..whole.len() / 2 - 300]).unwrap_err();
        assert_eq!(cut.code.id, "OF0355");
    }
}
