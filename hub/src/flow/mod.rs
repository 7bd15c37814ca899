//! The hops: each loads, calls a pure stage and saves. They are in rooms, which have floors of their own: a room imports only
//! what is below it (`tests/tests/tidy/rooms.rs`). Surfaces use what is named here; rooms name each other.

pub mod ask;
mod commit;
pub mod connect;
mod context;
mod deliver;
mod facts;
mod field;
mod harness;
mod intake;
mod lease;
mod meter;
mod properties;
mod stored_json;
mod suppression;
mod together;
mod trace;
mod upkeep;
mod work;

pub use ask::explain::{Explained, Graph, Step, explain, graph};
pub use ask::history::{Moment, history};
pub use ask::review::{Review, review};
pub use commit::adopt::{
    Approval, Leave, held_back, in_force, namespaces, stored as stored_version,
};
pub use commit::apply::apply;
pub use commit::change::{Change, Counts, Put, To};
pub use commit::fence::{manifests_digest, version as rules_version};
pub use commit::fitted::fitted_of;
pub use commit::stream::StreamRef;
pub use commit::view::{AddressConsent, ConsentEntry, Consents};
pub use commit::views::traits_of;
pub use connect::Opens;
pub use context::{Context, Process, Watch};
pub use deliver::suppress::{Suppressed, suppress};
pub use deliver::{DeliveryOptions, DeliveryReport, deliver, plan as delivery_plan};
pub use intake::inbox::{Incoming, NotTaken, Receiver, Taken};
pub use intake::land::{Arrived, Since, key_lines, land};
pub use intake::range::{Range, What};
pub use intake::read::{Progress, ReadOptions, StreamReport, read_stream};
pub use lease::{cancelled, is_held};
pub use meter::{Labels, Meter, SOON};
pub use suppression::Suppression;
pub use trace::Trace;
pub use upkeep::consent::{Stating as StatingConsent, state_consent};
pub use upkeep::due::due;
pub use upkeep::fill::backfill;
pub use upkeep::letters::{
    About, Correction, Letter, RetriedOne, correct, give_up, letter, retry_one,
};
pub use upkeep::rebuild::rebuild;
pub use upkeep::remap::{map_again, remap, retry_set_aside};
pub use upkeep::statements::{Stating, named, revoke, state};
pub use upkeep::suggest::{
    Decided, SuggestReport, decide, drop_version, likeness_of, reasons_of, suggest,
};
pub use upkeep::{leftover, models, rules};
pub use work::pauses::Pause;
pub use work::replay::{replay, take_effect};
pub use work::run::{AudienceReport, Events, RunEvent, RunOptions, RunReport, enter, run};
pub use work::schedule::{Carried, last_end, last_read, next as next_time};
pub use work::serve::{Served, serve};
pub use work::turns::Timing;
