//! One session with a connector, as recording, replaying, developing and measuring need it: check, discover, and read.
//! Says what was read; shows nothing.

use crate::host::{Batch, Connector, Failure, ReadRequest};
use crate::model::Description;

/// How much is read.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    /// Only this stream.
    pub stream: Option<String>,
    /// Batches of each part at most.
    pub batches: usize,
    pub records: u32,
    /// Once more from the end, as the next run would.
    pub reads_on: bool,
}

/// What one stream gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamRead {
    pub name: String,
    pub batches: Vec<Batch>,
    pub calls: u32,
}

impl StreamRead {
    pub fn records(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| u64::from(batch.upserts.count))
            .sum()
    }

    pub fn deletions(&self) -> u64 {
        let deletes = self
            .batches
            .iter()
            .filter_map(|batch| batch.deletes.as_ref());
        deletes.map(|chunk| u64::from(chunk.count)).sum()
    }

    /// The records as JSON texts.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.batches.iter().flat_map(|batch| {
            let text = String::from_utf8_lossy(&batch.upserts.data).into_owned();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
    }
}

/// Reads the streams of a source. `progress` hears of every batch.
pub fn read(
    connector: &mut dyn Connector,
    description: &Description,
    extent: &Extent,
    progress: &dyn Fn(&StreamRead),
) -> Result<Vec<StreamRead>, Failure> {
    let mut read = Vec::new();
    let wanted = |name: &str| extent.stream.as_deref().is_none_or(|one| one == name);
    for stream in description.streams.iter().filter(|one| wanted(&one.name)) {
        let mut found = StreamRead {
            name: stream.name.clone(),
            ..StreamRead::default()
        };
        for part in connector.split(&stream.name, None)? {
            read_part(connector, &part, extent, &mut found, progress)?;
        }
        read.push(found);
    }
    Ok(read)
}

fn read_part(
    connector: &mut dyn Connector,
    part: &str,
    extent: &Extent,
    found: &mut StreamRead,
    progress: &dyn Fn(&StreamRead),
) -> Result<(), Failure> {
    let mut request = ReadRequest {
        stream: found.name.clone(),
        part: part.to_owned(),
        cursor: None,
        since: None,
        until: None,
        max_records: extent.records,
        max_bytes: 4 << 20,
    };
    let mut after_the_end = false;
    for _ in 0..extent.batches.max(1) {
        let batch = connector.read(&request)?;
        found.calls += 1;
        request.cursor = Some(batch.cursor.clone());
        let done = batch.done;
        if !after_the_end {
            found.batches.push(batch);
        }
        progress(found);
        if done && (after_the_end || !extent.reads_on) {
            break;
        }
        after_the_end |= done;
    }
    Ok(())
}
