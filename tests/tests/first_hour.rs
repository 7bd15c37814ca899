//! What new users met in their first hour (N1 to N21): each line of the list with what must be seen now.

mod integrators;
mod operators;
mod plan;

#[allow(
    clippy::disallowed_methods,
    reason = "a test run reads how long it is to be"
)]
fn asked(variable: &str, usual: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    let number: Option<u32> = asked.and_then(|text| text.parse().ok());
    number.unwrap_or(usual).max(1)
}
