//! Looks at a component before it is compiled: what only costs its author a few bytes can cost the compiler minutes and gigabytes. Reads
//! each byte once and keeps nothing but counts.

use crate::problem::{Problem, codes};
use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// Longest component, in bytes. One that brings a whole Python has 20 MB.
pub const COMPONENT_BYTES: usize = 64 << 20;
/// Longest function, in bytes of its code. The longest of a language's runtime that is known has a sixth of it.
const FUNCTION_BYTES: usize = 1 << 20;
/// Most local variables of a function.
const LOCALS: u64 = 50_000;
/// Most of all functions together: each costs the compiler something, and its author two bytes for thousands.
const ALL_LOCALS: u64 = 4_000_000;
/// Most blocks, loops and conditions inside one another: a compiler makes one of each case of a `switch`.
const NESTED_BLOCKS: usize = 5_000;
/// Most of them in one function: each makes the compiler look at all that lives across it.
const BLOCKS: usize = 50_000;
/// Most components and modules inside one another.
const NESTED_COMPONENTS: usize = 16;
/// Most of what a component declares, in all its parts together.
const FUNCTIONS: u64 = 500_000;
const TYPES: u64 = 100_000;
const TABLES: u64 = 1_000;
const GLOBALS: u64 = 100_000;
/// Modules, components, and instances of either.
const INSTANCES: u64 = 1_000;
const NAMES: u64 = 100_000;

/// What a component has of each kind so far.
#[derive(Default)]
struct Counts {
    functions: u64,
    types: u64,
    tables: u64,
    globals: u64,
    instances: u64,
    names: u64,
    locals: u64,
}

/// Whether a component may be compiled at all. What is no WebAssembly passes: the compiler says why.
pub fn judge(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.len() > COMPONENT_BYTES {
        return Err(beyond("bytes", bytes.len() as u64, COMPONENT_BYTES as u64));
    }
    let mut counts = Counts::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else {
            return Ok(());
        };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                within(
                    "components inside one another",
                    depth as u64,
                    NESTED_COMPONENTS as u64,
                )?;
                counts.add(
                    |counts| &mut counts.instances,
                    1,
                    "modules and instances",
                    INSTANCES,
                )?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                counts.locals += function(&body)?;
                within("local variables", counts.locals, ALL_LOCALS)?;
            }
            payload => counts.section(&payload)?,
        }
    }
    Ok(())
}

impl Counts {
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Problem> {
        let (field, more, what, most): (fn(&mut Self) -> &mut u64, u32, _, _) = match payload {
            Payload::FunctionSection(part) => {
                (|of| &mut of.functions, part.count(), "functions", FUNCTIONS)
            }
            Payload::ComponentCanonicalSection(part) => {
                (|of| &mut of.functions, part.count(), "functions", FUNCTIONS)
            }
            Payload::TypeSection(part) => (|of| &mut of.types, part.count(), "types", TYPES),
            Payload::CoreTypeSection(part) => (|of| &mut of.types, part.count(), "types", TYPES),
            Payload::ComponentTypeSection(part) => {
                (|of| &mut of.types, part.count(), "types", TYPES)
            }
            Payload::TableSection(part) => (|of| &mut of.tables, part.count(), "tables", TABLES),
            Payload::GlobalSection(part) => {
                (|of| &mut of.globals, part.count(), "globals", GLOBALS)
            }
            Payload::InstanceSection(part) => (
                |of| &mut of.instances,
                part.count(),
                "modules and instances",
                INSTANCES,
            ),
            Payload::ComponentInstanceSection(part) => (
                |of| &mut of.instances,
                part.count(),
                "modules and instances",
                INSTANCES,
            ),
            Payload::ImportSection(part) => (
                |of| &mut of.names,
                part.count(),
                "imports and exports",
                NAMES,
            ),
            Payload::ExportSection(part) => (
                |of| &mut of.names,
                part.count(),
                "imports and exports",
                NAMES,
            ),
            Payload::ComponentImportSection(part) => (
                |of| &mut of.names,
                part.count(),
                "imports and exports",
                NAMES,
            ),
            Payload::ComponentExportSection(part) => (
                |of| &mut of.names,
                part.count(),
                "imports and exports",
                NAMES,
            ),
            Payload::ComponentAliasSection(part) => (
                |of| &mut of.names,
                part.count(),
                "imports and exports",
                NAMES,
            ),
            _ => return Ok(()),
        };
        self.add(field, more, what, most)
    }

    fn add(
        &mut self,
        field: fn(&mut Self) -> &mut u64,
        more: u32,
        what: &str,
        most: u64,
    ) -> Result<(), Problem> {
        let count = field(self);
        *count += u64::from(more);
        within(what, *count, most)
    }
}

/// Returns how many local variables it has.
fn function(body: &FunctionBody<'_>) -> Result<u64, Problem> {
    let range = body.range();
    let at = range.start;
    let in_function = |what: &str, found: u64, most: u64| match found > most {
        true => Err(beyond(
            &format!("{what} in the function at byte {at}"),
            found,
            most,
        )),
        false => Ok(()),
    };
    in_function("bytes", range.len() as u64, FUNCTION_BYTES as u64)?;
    // What cannot be read is the compiler's to name.
    let Ok(locals) = body.get_locals_reader() else {
        return Ok(0);
    };
    let declared = locals.into_iter().map_while(Result::ok);
    let declared = declared.map(|(count, _)| u64::from(count)).sum();
    in_function("local variables", declared, LOCALS)?;
    let Ok(mut operators) = body.get_operators_reader() else {
        return Ok(declared);
    };
    let (mut depth, mut blocks) = (0_usize, 0_usize);
    while let Ok(operator) = operators.read() {
        match operator {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                depth += 1;
                blocks += 1;
                in_function(
                    "blocks inside one another",
                    depth as u64,
                    NESTED_BLOCKS as u64,
                )?;
                in_function("blocks", blocks as u64, BLOCKS as u64)?;
            }
            Operator::End => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => break,
            },
            _ => {}
        }
    }
    Ok(declared)
}

fn within(what: &str, found: u64, most: u64) -> Result<(), Problem> {
    match found > most {
        true => Err(beyond(what, found, most)),
        false => Ok(()),
    }
}

fn beyond(what: &str, found: u64, most: u64) -> Problem {
    Problem::new(
        &codes::COMPONENT_TOO_LARGE,
        format!("the component has {found} {what}; {most} are allowed"),
    )
    .hint("nothing of it was compiled or run; ask its author for a smaller one")
}
