//! What a compiler made last time, and of what: used again while nothing that it is made of has changed.

use crate::kit::toolchain::{unwritable, write};
use crate::problem::{Problem, codes};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What nothing is made of: an interpreter leaves the first next to the code, editors the others.
fn is_left_behind(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "__pycache__" || name.starts_with(".#") || name.ends_with('~') || name.ends_with(".swp")
}

/// A hash over everything that a product is made of.
pub struct Ingredients(blake3::Hasher);

impl Ingredients {
    /// The compiler with everything that is said to it. Its path names its version.
    pub fn new(compiler: &Command) -> Self {
        let mut ingredients = Self(blake3::Hasher::new());
        ingredients.add(compiler.get_program().as_encoded_bytes());
        for argument in compiler.get_args() {
            ingredients.add(argument.as_encoded_bytes());
        }
        for (name, value) in compiler.get_envs() {
            ingredients.add(name.as_encoded_bytes());
            ingredients.add(value.unwrap_or_default().as_encoded_bytes());
        }
        ingredients
    }

    /// With its length, so that two parts never read as one.
    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The names and contents of all files of a folder, in an order that does not depend on the file system.
    pub fn folder(mut self, folder: &Path) -> Result<Self, Problem> {
        let unreadable = |path: &Path, error: &std::io::Error| {
            let message = format!("`{}` cannot be read: {error}", path.display());
            Problem::new(&codes::BAD_PROJECT, message)
        };
        let files = files(folder).map_err(|error| unreadable(folder, &error))?;
        self.add(&(files.len() as u64).to_le_bytes());
        for file in files {
            let name = file.strip_prefix(folder).unwrap_or(&file);
            self.add(name.as_os_str().as_encoded_bytes());
            let content = std::fs::read(&file).map_err(|error| unreadable(&file, &error))?;
            self.add(&content);
        }
        Ok(self)
    }

    pub fn hash(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            match path.is_dir() {
                _ if is_left_behind(&path) => {}
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The product of the last build, if it was made of the same and is as it was then.
pub fn find(product: &Path, made_of: &Ingredients) -> Option<Vec<u8>> {
    let note = std::fs::read_to_string(note_of(product)).ok()?;
    let content = std::fs::read(product).ok()?;
    (note == line(&content, made_of)).then_some(content)
}

/// Notes what a finished product was made of.
pub fn note(product: &Path, content: &[u8], made_of: &Ingredients) -> Result<(), Problem> {
    write(&note_of(product), line(content, made_of))
}

/// Takes away the note of what is about to be overwritten, so that half of it never counts as kept.
pub fn forget(product: &Path) -> Result<(), Problem> {
    let note = note_of(product);
    match std::fs::remove_file(&note) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(unwritable(&note, &error))
        }
        _ => Ok(()),
    }
}

fn note_of(product: &Path) -> PathBuf {
    product.with_extension("made-of")
}

fn line(content: &[u8], made_of: &Ingredients) -> String {
    format!("{} {}\n", made_of.hash(), blake3::hash(content).to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().expect("in a folder")).expect("made");
            std::fs::write(file, text).expect("written");
        }
    }

    fn of(program: &str) -> Ingredients {
        Ingredients::new(&Command::new(program))
    }

    fn hash(folder: &Path) -> String {
        let made_of = of("compiler").folder(folder);
        made_of.expect("readable").hash()
    }

    #[test]
    fn every_name_and_every_byte_counts_and_what_the_interpreter_leaves_does_not() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path();
        written(folder, &[("a.py", "one"), ("b/c.py", "two")]);
        let first = hash(folder);
        written(
            folder,
            &[
                ("__pycache__/a.pyc", "x"),
                ("b/__pycache__/c", ""),
                ("b/.c.py.swp", ""),
                ("c.py~", ""),
            ],
        );
        assert_eq!(hash(folder), first);
        written(folder, &[("a.py", "one!")]);
        let second = hash(folder);
        std::fs::rename(folder.join("a.py"), folder.join("d.py")).expect("renamed");
        let third = hash(folder);
        written(folder, &[("e.py", "")]);
        let all = [first, second, third, hash(folder)];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        let split = |texts: [&str; 2]| Ingredients::new(Command::new("c").args(texts)).hash();
        assert_ne!(split(["ab", "c"]), split(["a", "bc"]));
        let mut asked = Command::new("compiler");
        let without = Ingredients::new(&asked).hash();
        let with = Ingredients::new(asked.arg("--fast")).hash();
        let elsewhere = Ingredients::new(asked.env("HOME", "/")).hash();
        assert!(without != with && with != elsewhere);
    }

    #[test]
    fn a_product_is_kept_only_as_it_was_and_of_what_it_was() {
        let place = tempfile::tempdir().expect("a folder");
        let product = place.path().join("component.wasm");
        let made_of = of("compiler");
        assert_eq!(find(&product, &made_of), None);
        std::fs::write(&product, "content").expect("written");
        assert_eq!(find(&product, &made_of), None, "nobody said what it is of");
        note(&product, b"content", &made_of).expect("noted");
        assert_eq!(find(&product, &made_of), Some(b"content".to_vec()));
        assert_eq!(find(&product, &of("another")), None);
        std::fs::write(&product, "half").expect("written");
        assert_eq!(find(&product, &made_of), None);
        std::fs::write(&product, "content").expect("written");
        forget(&product).expect("gone");
        forget(&product).expect("gone already");
        assert_eq!(find(&product, &made_of), None);
    }
}
