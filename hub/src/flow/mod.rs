//! The hops: each loads, calls a pure stage and saves. One file a hop; `run` strings them together.

pub mod ask;
mod backfill;
mod commit;
pub mod connect;
mod context;
mod deliver;
mod facts;
mod fill;
mod harness;
mod intake;
pub mod lease;
pub mod leftover;
pub mod models;
mod properties;
mod rebuild;
mod rest;
pub mod rules;
mod run;
mod schedule;
mod serve;
mod state;
mod stored_json;
mod suggest;
mod suppression;
mod together;

pub use ask::explain::{Explained, Graph, Step, explain, graph};
pub use ask::history::{Moment, history};
pub use ask::review::{Review, alarm, review};
pub use backfill::{due, remap, retry_set_aside};
pub use commit::apply::apply;
pub use commit::change::{Change, Counts, Put, To};
pub use commit::fitted::fitted_of;
pub use commit::stream::StreamRef;
pub use commit::view::ConsentEntry;
pub use commit::views::traits_of;
pub use connect::Opens;
pub use context::{Context, Process, Watch};
pub use deliver::suppress::{Suppressed, suppress};
pub use deliver::{DeliveryReport, deliver, plan as delivery_plan};
pub use fill::backfill;
pub use intake::land::{Arrived, key_lines, land};
pub use intake::read::{Progress, ReadOptions, StreamReport, read_stream};
pub use rebuild::rebuild;
pub use run::{AudienceReport, Events, RunEvent, RunOptions, RunReport, run};
pub use schedule::next as next_time;
pub use serve::serve;
pub use state::{Stating, named, revoke, state};
pub use suggest::{SuggestReport, decide, drop_version, likeness_of, reasons_of, suggest};
pub use suppression::Suppression;

use crate::store::Result;

/// Says in the store which definitions are not those by which people were judged before, ahead of judging somebody by them.
async fn announce(context: &Context) -> Result<()> {
    rebuild::announce(context).await?;
    models::announce(context).await?;
    fill::announce(context).await
}
