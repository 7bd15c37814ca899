//! `onefold connector publish`, `sign`, `key` and `bundle`: a connector on its way from its author to a hub.

use crate::cli::Ending;
use crate::cli::connector::add::{secret, wire};
use crate::cli::connector::arguments::{KeyCommand, PublishArguments};
use crate::cli::output::{Out, Outcome, plural};
use crate::files;
use crate::kit::lock::{signature_path, write_whole};
use crate::kit::oci::{Artifact, Reference, push};
use crate::kit::registry::{pack, read};
use crate::kit::signature::{self, SigningKey};
use crate::opening::{self, Environment};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::io::Write;
use std::path::Path;

pub async fn publish(
    environment: &Environment,
    out: &Out,
    arguments: &PublishArguments,
) -> Outcome {
    let target = Reference::parse(&arguments.target).unwrap_or_else(|| {
        let message = "connectors are published to registries";
        Err(Problem::new(&codes::BAD_REFERENCE, message).hint("write `oci://HOST/REPOSITORY:TAG`"))
    })?;
    let wire = wire(environment, &arguments.access)?;
    let bytes = read(&arguments.file)?;
    let component = opening::host(environment)?.load(&bytes)?;
    let description = component.describe()?;
    let signature = signature::read(&signature_path(&arguments.file))?;
    // A signature of other bytes would only be noticed by hubs that trust it.
    signature::judge(&bytes, signature.as_deref(), &[])?;
    let interfaces = component.interfaces();
    let artifact = Artifact {
        name: &description.name,
        title: &description.title,
        version: &description.version,
        contract: component.contract(),
        exports: &interfaces.exports,
        imports: &interfaces.imports,
        component: &bytes,
        signature: signature.as_deref(),
    };
    let digest = push(&wire, &target, &artifact).await?;
    let signed = signature.is_some();
    if out.json {
        out.value(&json!({ "name": description.name, "version": description.version, "target": target.to_string(),
            "digest": digest, "component": signature::digest(&bytes), "signed": signed }));
        return Ok(Ending::Done);
    }
    let (name, version) = (&description.name, &description.version);
    let how = if signed { "signed" } else { "not signed" };
    out.line(format!("published {name} {version} to {target}, {how}"));
    out.line(format!("  manifest   {digest}"));
    out.line(format!("  component  {}", signature::digest(&bytes)));
    Ok(Ending::Done)
}

pub fn sign(environment: &Environment, out: &Out, file: &Path, key: &str) -> Outcome {
    let key = SigningKey::parse(&secret(environment, "key", key)?)?;
    let bytes = read(file)?;
    // A signature states that it is a connector.
    opening::host(environment)?.load(&bytes)?.describe()?;
    let signature = signature_path(file);
    write_whole(&signature, key.sign(&bytes).as_bytes())?;
    let digest = signature::digest(&bytes);
    match out.json {
        true => {
            out.value(
                &json!({ "signature": signature, "digest": digest, "public_key": key.public() }),
            );
        }
        false => out.line(format!("wrote {}, for {digest}", signature.display())),
    }
    Ok(Ending::Done)
}

pub fn key(environment: &Environment, out: &Out, command: &KeyCommand) -> Outcome {
    match command {
        KeyCommand::New { file, name } => {
            let (text, key) = SigningKey::generate()?;
            let name = name.clone().unwrap_or_else(|| key_name(file));
            write_private(file, &text)?;
            if !out.json {
                out.line(format!(
                    "wrote {}: keep it secret, and keep a copy",
                    file.display()
                ));
            }
            show(out, &name, &key);
        }
        KeyCommand::Show { key, name } => {
            let key = SigningKey::parse(&secret(environment, "key", key)?)?;
            show(out, name, &key);
        }
    }
    Ok(Ending::Done)
}

fn show(out: &Out, name: &str, key: &SigningKey) {
    let public = key.public();
    if out.json {
        out.value(&json!({ "name": name, "public_key": public }));
        return;
    }
    out.line("for the manifests of hubs that trust it:");
    out.line("  [connectors]");
    out.line(format!("  trusted_keys = [\"{name}:{public}\"]"));
}

/// The file's name, as far as a manifest may use it.
fn key_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = stem.to_lowercase().chars().map(plain).collect();
    match name.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => name,
        false => format!("key_{name}"),
    }
}

/// A file that only its owner can read, and that was not there before.
fn write_private(file: &Path, text: &str) -> Result<(), Problem> {
    let written = files::create_new(file).and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = file.display();
        Problem::new(
            &codes::BAD_KEY,
            format!("`{shown}` cannot be made: {error}"),
        )
        .hint("name a file that is not there yet")
    })
}

pub fn bundle(folder: &Path, out: &Out, file: &Path) -> Outcome {
    let (lock, bytes) = pack(folder)?;
    if lock.entries.is_empty() {
        let message = "this hub has no locked connectors";
        let problem = Problem::new(&codes::NOT_FOUND, message);
        return Err(problem.hint("`onefold connector add` locks one").into());
    }
    write_whole(file, &bytes)?;
    let names: Vec<&str> = lock.entries.iter().map(|entry| &*entry.name).collect();
    if out.json {
        out.value(&json!({ "bundle": file, "connectors": names }));
        return Ok(Ending::Done);
    }
    let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
    let what = plural(count, "connector", "connectors");
    out.line(format!(
        "wrote {} with {what}: {}",
        file.display(),
        names.join(", ")
    ));
    Ok(Ending::Done)
}
