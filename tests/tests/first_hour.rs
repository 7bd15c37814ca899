//! What new users met in their first hour (N1 to N21): each line of the list with what must be seen now.

mod builds;
mod documents;
mod integrators;
mod lists;
mod operators;
mod plan;
mod skeletons;
mod strangers;
