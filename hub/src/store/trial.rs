//! Copies of a store: one on which something is tried out, which is deleted in the end, and one that is kept as a backup.

use super::{Result, Store, dialect};
use crate::files;
use crate::problem::Problem;
use crate::problem::codes::STORE_FAILED;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What SQLite and the store add to a file's name.
const FILES: [&str; 5] = ["", "-wal", "-shm", "-turn", "-next"];

/// Where a copy is. Dropping it deletes the copy.
pub struct Trial {
    path: PathBuf,
    /// One copy at a time: what a process that was killed has left is deleted by the next one.
    _folder: Option<File>,
}

impl Trial {
    /// A copy of a database as it is now, next to it; none of one in memory.
    pub async fn of(url: &str) -> Result<Option<Trial>> {
        let Some(original) = dialect::path(url) else {
            return Ok(None);
        };
        let failed = |error: &dyn std::fmt::Display| {
            Problem::new(&STORE_FAILED, format!("the store cannot be copied: {error}"))
                .hint("a plan after an edit works on a copy: there must be room for one next to the store")
        };
        let mut name = original.file_name().unwrap_or_default().to_owned();
        name.push("-plan");
        let parent = original.parent().unwrap_or(Path::new("."));
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        let folder = lock(parent).await.map_err(|error| failed(&error))?;
        let trial = Trial {
            path: parent.join(name),
            _folder: folder,
        };
        trial.delete();
        let Some(to) = trial.path.to_str() else {
            return Err(failed(&"its path is not UTF-8"));
        };
        files::create(&trial.path).map_err(|error| failed(&error))?;
        let copied = dialect::copy(url, to).await;
        copied.map_err(|error| failed(&error))?;
        Ok(Some(trial))
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn delete(&self) {
        delete(&self.path, &FILES);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.delete();
    }
}

/// Copies a database as it is at this moment into a new file, in which no job is held by anybody; others go on working with the original.
/// Returns its size in bytes.
pub async fn back_up(url: &str, to: &Path) -> Result<u64> {
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("the store cannot be copied to `{}`: {error}", to.display());
        Problem::new(&STORE_FAILED, message)
            .hint("name a file that is not there yet, in a folder with enough room")
    };
    if dialect::path(url).is_none() {
        return Err(failed(&"it is in memory"));
    }
    let name = to
        .to_str()
        .ok_or_else(|| failed(&"the path is not UTF-8"))?;
    files::create_new(to).map_err(|error| failed(&error))?;
    let copied = dialect::copy(url, name).await;
    let kept = match copied {
        Ok(()) => free(name).await,
        Err(error) => Err(failed(&error)),
    };
    let endings = if kept.is_ok() {
        &FILES[1..]
    } else {
        &FILES[..]
    };
    delete(to, endings);
    kept?;
    let data = to.metadata().map_err(|error| failed(&error))?;
    Ok(data.len())
}

/// Who worked on the original does not work on the copy.
async fn free(path: &str) -> Result<()> {
    let store = Store::open(&format!("sqlite:{path}")).await?;
    let freed = store.forget_jobs().await;
    store.close().await;
    freed
}

fn delete(path: &Path, endings: &[&str]) {
    for ending in endings {
        let mut name = path.to_owned().into_os_string();
        name.push(ending);
        // It may not be there.
        let _ = std::fs::remove_file(name);
    }
}

/// Waits until nobody else copies in this folder. Where folders cannot be opened as files, nobody is waited for.
async fn lock(folder: &Path) -> std::io::Result<Option<File>> {
    let Ok(file) = File::open(folder) else {
        return Ok(None);
    };
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.map_err(std::io::Error::other)?.map(Some)
}

impl Store {
    /// Forgets who does which job: on a copy nobody does any.
    pub async fn forget_jobs(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.forget_jobs().await?;
        tx.commit().await
    }
}
