//! The few facts that xtask needs from a `Cargo.toml`: the names of the package and of its library.
//! Reads only plain `key = "value"` lines under a table header, which is how this workspace writes them.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// A package that becomes one WebAssembly component.
#[derive(Debug, PartialEq, Eq)]
pub struct Guest {
    /// The folder's name, and so the component's.
    pub name: String,
    pub package: String,
    /// The file that cargo writes, without `.wasm`.
    pub library: String,
}

/// Every folder right under `parent` that holds a package, in the order of their names. No `parent`, no guests.
pub fn guests_under(parent: &Path) -> Result<Vec<Guest>> {
    let mut folders: Vec<PathBuf> = match std::fs::read_dir(parent) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot list `{}`", parent.display()));
        }
    };
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    folders.sort();
    folders.iter().map(|folder| guest_in(folder)).collect()
}

fn guest_in(folder: &Path) -> Result<Guest> {
    let file = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let Some(package) = value(&text, "package", "name") else {
        bail!(
            "`{}` has no line `name = \"…\"` under `[package]`",
            file.display()
        );
    };
    let library = value(&text, "lib", "name")
        .unwrap_or(package)
        .replace('-', "_");
    Ok(Guest {
        name,
        package: package.to_owned(),
        library,
    })
}

/// The text of `key` under `[table]`.
fn value<'a>(text: &'a str, table: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.split(']').next() == Some(table);
        } else if inside
            && let Some((name, rest)) = line.split_once('=')
            && name.trim() == key
        {
            return rest.trim().strip_prefix('"')?.split('"').next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::value;

    const TEXT: &str = "[package]\nname = \"onefold-connector-hubspot\" # why not\nversion.workspace = true\n\n\
        [lib]\ncrate-type = [\"cdylib\"]\nname=\"hubspot_connector\"\n[[bin]]\nname = \"other\"\n";

    #[test]
    fn a_value_is_taken_from_its_own_table() {
        assert_eq!(
            value(TEXT, "package", "name"),
            Some("onefold-connector-hubspot")
        );
        assert_eq!(value(TEXT, "lib", "name"), Some("hubspot_connector"));
    }

    #[test]
    fn a_value_that_is_missing_or_no_text_is_not_found() {
        assert_eq!(value(TEXT, "lib", "path"), None);
        assert_eq!(value(TEXT, "lib", "crate-type"), None);
        assert_eq!(
            value(TEXT, "bin", "name"),
            None,
            "an array of tables is another thing"
        );
    }
}
