//! Files and folders that are their user's alone, whatever the process's mask says: everything that holds personal data, code,
//! or what the hub relies upon is made here. Says what others of the machine can change, and reads files that an operator
//! names. Knows nothing of what is in them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};

/// What the user alone may do with a file: read and write.
#[cfg(unix)]
const PRIVATE: u32 = 0o600;
/// The same for a folder, in which one also has to look.
#[cfg(unix)]
const PRIVATE_FOLDER: u32 = 0o700;

/// Makes a folder, with the folders above it as far as they are not there: for the user alone.
pub fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(PRIVATE_FOLDER);
    builder.create(folder)
}

/// An empty file for the user alone. One that is there is emptied, and closed to others.
pub fn create(path: &Path) -> Result<File> {
    let file = private().create(true).truncate(true).open(path)?;
    close_to_others(path);
    Ok(file)
}

/// A file for the user alone, which must not be there yet.
pub fn create_new(path: &Path) -> Result<File> {
    private().create_new(true).open(path)
}

/// A file for the user alone that keeps what is in it: a lock, or a database.
pub fn keep(path: &Path) -> Result<File> {
    let file = private().create(true).truncate(false).open(path)?;
    close_to_others(path);
    Ok(file)
}

/// A file for the user alone with this content.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    create(path)?.write_all(content)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    options.mode(PRIVATE);
    options
}

/// Takes from others what they may do with a file of the user's. One that is not there, or is another user's, stays as it is.
pub fn close_to_others(path: &Path) {
    #[cfg(unix)]
    if let Ok(data) = std::fs::symlink_metadata(path)
        && data.is_file()
        && data.mode() & 0o077 != 0
    {
        // Only its owner can, and then others were meant to have it.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(PRIVATE));
    }
}

/// Who else can change what is in a folder, as the end of a sentence that begins with the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exposed {
    /// Everybody on the machine: anybody can put files there or replace them.
    ToEverybody(String),
    /// Some, or only in a way round.
    ToSome(String),
}

/// None when the folder is the user's alone, or not there.
#[cfg(unix)]
pub fn exposed(folder: &Path) -> Option<Exposed> {
    // Where it really is: a link can be in another folder.
    let folder = folder.canonicalize().ok()?;
    let data = folder.metadata().ok()?;
    let mode = data.mode() & 0o7777;
    if mode & 0o002 != 0 {
        return Some(Exposed::ToEverybody(format!(
            "can be written by all others of this machine (mode {mode:o})"
        )));
    }
    // A group with the user's own number is the user's own.
    if mode & 0o020 != 0 && data.gid() != data.uid() {
        return Some(Exposed::ToSome(format!(
            "can be written by the group {} (mode {mode:o})",
            data.gid()
        )));
    }
    if data.uid() != 0 && data.uid() != rustix::process::geteuid().as_raw() {
        return Some(Exposed::ToSome(format!(
            "belongs to another user ({})",
            data.uid()
        )));
    }
    // In a folder with the sticky bit one can only rename what is one's own.
    let replaceable = |above: &&Path| {
        let mode = above.metadata().map_or(0, |data| data.mode());
        mode & 0o002 != 0 && mode & 0o1000 == 0
    };
    let above: Option<PathBuf> = folder
        .ancestors()
        .skip(1)
        .find(replaceable)
        .map(Path::to_owned);
    above.map(|above| {
        Exposed::ToSome(format!(
            "can be replaced by all others of this machine, who can write `{}`",
            above.display()
        ))
    })
}

/// Whether a file is the user's own or the system's, and no other can write to it.
#[cfg(unix)]
pub fn is_own(found: &std::fs::Metadata) -> bool {
    let is_trusted = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    is_trusted && found.mode() & 0o022 == 0
}

#[cfg(not(unix))]
pub fn is_own(_: &std::fs::Metadata) -> bool {
    true
}

/// Whether others than its owner can write to a file that is there.
pub fn may_be_changed_by_others(path: &Path) -> bool {
    has_mode(path, 0o022)
}

/// Whether others than its owner can read a file that is there.
pub fn may_be_read_by_others(path: &Path) -> bool {
    has_mode(path, 0o044)
}

#[cfg(unix)]
fn has_mode(path: &Path, bits: u32) -> bool {
    path.metadata().is_ok_and(|data| data.mode() & bits != 0)
}

#[cfg(not(unix))]
fn has_mode(_: &Path, _: u32) -> bool {
    false
}

/// Elsewhere the system's own rules are all there is.
#[cfg(not(unix))]
pub fn exposed(_: &Path) -> Option<Exposed> {
    None
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("cannot be read: {}", .0.kind())]
    Failed(#[from] std::io::Error),
    #[error("is not a regular file")]
    NotRegular,
    #[error("is larger than {} KiB", .0 >> 10)]
    TooLarge(u64),
    #[error("is not UTF-8")]
    NotText,
}

/// The text of a regular file of at most so many bytes. What waits or never ends, such as a pipe or a device, is not read.
pub fn read_text(path: &Path, most: u64) -> std::result::Result<String, Unread> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    options.custom_flags(NOT_WAITING);
    let file = options.open(path)?;
    // Of what was opened: what the name leads to may be something else by now.
    if !file.metadata()?.is_file() {
        return Err(Unread::NotRegular);
    }
    let mut content = Vec::new();
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(Unread::TooLarge(most));
    }
    String::from_utf8(content).map_err(|_| Unread::NotText)
}

/// `O_NONBLOCK`: opening a pipe does not wait for somebody who writes.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_WAITING: i32 = 0o4000;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const NOT_WAITING: i32 = 0x4;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it is there").mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("it is ours");
    }

    #[test]
    fn what_is_made_is_the_users_alone_and_what_was_open_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        make_folder(&deep).unwrap();
        assert_eq!([mode(&deep), mode(&folder.path().join("a"))], [0o700; 2]);
        let file = deep.join("file");
        write(&file, b"one").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert!(create_new(&file).is_err());
        set(&file, 0o666);
        drop(keep(&file).unwrap());
        assert_eq!(
            (mode(&file), std::fs::read(&file).unwrap()),
            (0o600, b"one".to_vec())
        );
        set(&file, 0o644);
        write(&file, b"two").unwrap();
        assert_eq!(
            (mode(&file), std::fs::read(&file).unwrap()),
            (0o600, b"two".to_vec())
        );
        close_to_others(&deep.join("not there"));
    }

    #[test]
    fn a_folder_that_others_can_change_is_known_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        make_folder(&inside).unwrap();
        assert_eq!(exposed(&inside), None);
        assert_eq!(exposed(&folder.path().join("not there")), None);
        for everybody in [0o777, 0o1777, 0o702] {
            set(&inside, everybody);
            let Some(Exposed::ToEverybody(why)) = exposed(&inside) else {
                panic!("{everybody:o}");
            };
            assert!(why.contains(&format!("mode {everybody:o}")), "{why}");
        }
        set(&inside, 0o700);
        set(folder.path(), 0o777);
        let Some(Exposed::ToSome(why)) = exposed(&inside) else {
            panic!("others can rename it");
        };
        assert!(why.contains("can be replaced"), "{why}");
        set(folder.path(), 0o1777);
        assert_eq!(exposed(&inside), None);
        // Only root can give a folder away.
        if std::os::unix::fs::chown(&inside, Some(65_534), None).is_ok() {
            let Some(Exposed::ToSome(why)) = exposed(&inside) else {
                panic!("somebody else's");
            };
            assert_eq!(why, "belongs to another user (65534)");
        }
    }

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345678").unwrap();
        assert_eq!(read_text(&file, 8).unwrap(), "12345678");
        let why = |path: &Path, most: u64| read_text(path, most).unwrap_err().to_string();
        assert_eq!(why(&file, 7), "is larger than 0 KiB");
        assert_eq!(why(folder.path(), 8), "is not a regular file");
        assert_eq!(why(Path::new("/dev/zero"), 8), "is not a regular file");
        std::fs::write(&file, b"\xff").unwrap();
        assert_eq!(why(&file, 8), "is not UTF-8");
    }
}
