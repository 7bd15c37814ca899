//! From a core module to a component, and the two documents in its custom sections, from which a component can be
//! described without running it.

use crate::kit::project::Project;
use crate::problem::{Problem, codes};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};

pub const MANIFEST_SECTION: &str = "onefold:manifest";
pub const CONFIG_SCHEMA_SECTION: &str = "onefold:config-schema";

fn unfit(what: &str, error: &impl std::fmt::Display) -> Problem {
    Problem::new(&codes::BUILD_FAILED, format!("{what}: {error:#}"))
}

/// The contract that a project keeps, and the world of it that the project has.
fn contract(project: &Project) -> Result<(Resolve, WorldId), Problem> {
    let refuse = |error: &dyn std::fmt::Display| {
        let folder = project.wit.display();
        let message = format!("the contract in `{folder}` cannot be read: {error:#}");
        Problem::new(&codes::BAD_PROJECT, message)
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(&project.wit)
        .map_err(|error| refuse(&error))?;
    let world = resolve
        .select_world(&[package], Some(project.kind.world()))
        .map_err(|error| refuse(&error))?;
    Ok((resolve, world))
}

/// Code between a language and the contract.
pub fn bindings(project: &Project, mut maker: Box<dyn WorldGenerator>) -> Result<Files, Problem> {
    let (mut resolve, world) = contract(project)?;
    let mut files = Files::default();
    maker
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| unfit("no bindings can be made from the contract", &error))?;
    Ok(files)
}

/// Puts the description of the project's world into a module whose bindings did not.
pub fn describe(module: &mut Vec<u8>, project: &Project) -> Result<(), Problem> {
    let (resolve, world) = contract(project)?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| unfit("the compiled module cannot be described", &error))
}

/// A module whose bindings left the description of its world in it. What it wants of WASI, the old way, is adapted.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, Problem> {
    let (adapter, code) = (
        WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
        WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    );
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(adapter, code))
        .and_then(ComponentEncoder::encode)
        .map_err(|error| unfit("the compiled module does not become a component", &error))
}

/// Adds a custom section at the end of the outermost component.
pub fn add_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::with_capacity(name.len() + content.len() + 5);
    put_length(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    component.push(0);
    put_length(component, body.len());
    component.extend_from_slice(&body);
}

/// LEB128, as WebAssembly writes lengths.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// The interfaces that a component imports, sorted.
pub fn imports(component: &[u8]) -> Result<Vec<String>, Problem> {
    let decoded = wit_component::decode(component)
        .map_err(|error| unfit("what was built is not a component", &error))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        let message = "what was built is a package of types, not a component";
        return Err(Problem::new(&codes::BUILD_FAILED, message));
    };
    let keys = resolve.worlds[world].imports.keys();
    let mut names: Vec<String> = keys.map(|key| resolve.name_world_key(key)).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_follows_the_component_and_leaves_it_valid() {
        let mut component = vec![0, b'a', b's', b'm', 0x0d, 0, 1, 0];
        let long = "x".repeat(300);
        add_section(&mut component, MANIFEST_SECTION, long.as_bytes());
        // Type custom, length 16 + 1 + 300 in two bytes, then the name with its own length.
        assert_eq!(component[8..12], [0, 0xbd, 0x02, 16]);
        assert_eq!(component[12..28], *MANIFEST_SECTION.as_bytes());
        assert_eq!(component[28..], *long.as_bytes());
        assert_eq!(imports(&component).expect("still a component"), [""; 0]);
    }

    #[test]
    fn what_is_no_module_is_a_failed_build() {
        let problem = encode(b"not wasm").expect_err("fails");
        assert_eq!(problem.code.id, "OF0322");
    }
}
