//! How alike two people look: the Fellegi-Sunter model, its estimation, and which pairs are worth comparing.
//!
//! Nothing depends on the order in which people are passed in (I1), and no labelled data is needed: the parameters are
//! estimated from the records alone. It returns pairs and does not act on them; a caller turns an automatic pair into a link of
//! the model's version, and a pair for review into a question.

mod birth;
mod block;
mod compare;
mod estimate;
mod frequency;
mod groups;
mod kin;
mod letters;
mod mixture;
mod model;
mod names;
mod nicknames;
mod people;
mod suggest;

pub use block::Skipped;
pub use compare::{Comparison, Level};
pub use estimate::{Refusal, estimate};
pub use letters::push_normal_name;
pub use model::Model;
pub use names::{is_likely_one_name, may_be_one_given_name};
pub use people::{People, Record};
pub use suggest::{Doubt, Explanation, Pair, Standing, Step, Suggestions, explain, suggest};

/// What a caller may choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The least probability of an automatic link. Each such pair is right with at least this probability by the model,
    /// so at least this share of all of them.
    pub automatic: f64,
    /// The least probability of a pair that is worth a person's look.
    pub review: f64,
    /// How many people may share a blocking key before it says too little to pair all of them: work and memory grow with
    /// its square. Larger blocks are skipped and reported.
    pub block_cap: usize,
    /// How many pairs taken at random show how often strangers agree.
    pub sample_pairs: usize,
    /// How many people must have a value before the model keeps its own frequency. Rarer values share one, so that the
    /// model says nothing about a single person.
    pub common_above: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            automatic: 0.999,
            review: 0.5,
            block_cap: 200,
            sample_pairs: 400_000,
            common_above: 10,
        }
    }
}

#[cfg(test)]
mod tests;
