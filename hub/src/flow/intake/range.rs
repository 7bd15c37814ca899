//! What a backfill reads: records of some time, or some records, while the reads of the schedule go on.

use crate::landing;
use crate::model::{Canonical, Fact, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Not what was last changed, or happened, before.
    pub since: Option<Timestamp>,
    /// Only what was changed, or happened, before.
    pub until: Option<Timestamp>,
    /// Only the records of these keys.
    pub keys: BTreeSet<String>,
}

impl Range {
    /// By key; those of the vendor's pages that are not meant are passed over.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.is_empty() || self.keys.contains(key)
    }

    /// By time. A record that says none is taken: nothing tells that it is not meant.
    pub fn has_time(&self, record: &Canonical) -> bool {
        let happened = match &record.fact {
            Some(Fact::Event { time, .. }) => Some(*time),
            _ => None,
        };
        let Some(time) = happened.or(record.updated_at).or(record.created_at) else {
            return true;
        };
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Under which the cursor of a part is kept: one of its own for each range, so that the live cursor stays and an interrupted
    /// backfill goes on.
    pub fn cursor_of(&self, part: &str) -> String {
        format!("{}{part}", self.cursors())
    }

    /// How the names of its cursors begin.
    pub fn cursors(&self) -> String {
        let hash = landing::hash(format!("{self:?}").as_bytes());
        format!("\u{1f}backfill {hash:016x} ")
    }
}

/// What is read.
#[derive(Clone, Default)]
pub enum What {
    /// What the vendor has that is new, from where the last read ended.
    #[default]
    Vendor,
    /// What was sent to the hub. What was sent once does not come again, so this is never a full read.
    Inbox,
    /// What the vendor has, in parallel with other reads and with cursors of its own; nothing is deleted because it does not come.
    Range(Arc<Range>),
}

impl What {
    /// What a run's row says.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Vendor => "read",
            Self::Inbox => "inbox",
            Self::Range(_) => "backfill",
        }
    }

    pub fn range(&self) -> Option<&Arc<Range>> {
        match self {
            Self::Range(range) => Some(range),
            _ => None,
        }
    }

    pub fn is_inbox(&self) -> bool {
        matches!(self, Self::Inbox)
    }
}
