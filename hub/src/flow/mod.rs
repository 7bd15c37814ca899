//! The hops: each loads, calls a pure stage and saves. One file a hop; `run` strings them together.

pub mod accounts;
mod apply;
pub mod audiences;
mod backfill;
mod change;
pub mod connect;
mod context;
mod deliver;
mod explain;
mod facts;
mod fence;
mod fill;
mod harness;
mod history;
mod land;
pub mod lease;
pub mod leftover;
pub mod models;
mod neighbourhood;
pub mod past;
mod properties;
mod read;
mod rebuild;
mod rest;
mod review;
mod ripple;
pub mod rules;
mod run;
mod schedule;
mod serve;
mod settle;
pub mod show;
mod state;
mod stored_json;
mod suggest;
mod suppress;
mod suppression;
mod together;

pub use apply::apply;
pub use backfill::{due, remap, retry_set_aside};
pub use change::{Change, Counts, Put, StreamRef, To};
pub use connect::Opens;
pub use context::{Context, Process, Watch};
pub use deliver::{DeliveryReport, deliver, plan as delivery_plan};
pub use explain::{Explained, Graph, Step, explain, graph};
pub use fill::backfill;
pub use history::{Moment, history};
pub use land::{Arrived, key_lines, land};
pub use read::{Progress, ReadOptions, StreamReport, read_stream};
pub use rebuild::rebuild;
pub use review::{Review, alarm, review};
pub use run::{AudienceReport, Events, RunEvent, RunOptions, RunReport, run};
pub use schedule::next as next_time;
pub use serve::serve;
pub use settle::{ConsentEntry, traits_of};
pub use state::{Stating, named, revoke, state};
pub use suggest::{SuggestReport, decide, drop_version, likeness_of, reasons_of, suggest};
pub use suppress::{Suppressed, suppress};
pub use suppression::Suppression;

use crate::store::Result;

/// Says in the store which definitions are not those by which people were judged before, ahead of judging somebody by them.
async fn announce(context: &Context) -> Result<()> {
    rebuild::announce(context).await?;
    models::announce(context).await?;
    fill::announce(context).await
}
