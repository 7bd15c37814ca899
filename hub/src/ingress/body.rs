//! Bodies: read within a time and a size, and unpacked within a size, whatever they are labelled.

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::io::Read;
use std::time::Duration;

/// How long a body may take.
const BODY: Duration = Duration::from_secs(30);

/// Why a body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    TooSlow,
    /// It ended early, or is not the gzip that it begins as.
    Broken,
}

/// The body of at most `limit` bytes, unpacked where it is gzip, whether labelled or not.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let limited = Limited::new(body, limit);
    let collected = match tokio::time::timeout(BODY, limited.collect()).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(BodyError::TooLarge),
        Ok(Err(_)) => return Err(BodyError::Broken),
        Err(_) => return Err(BodyError::TooSlow),
    };
    match collected.starts_with(&[0x1f, 0x8b]) {
        true => unpacked(&collected, limit),
        false => Ok(collected),
    }
}

/// No more than the limit is ever unpacked.
fn unpacked(packed: &[u8], limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(limit as u64 + 1);
    decoder
        .read_to_end(&mut whole)
        .map_err(|_| BodyError::Broken)?;
    match whole.len() > limit {
        true => Err(BodyError::TooLarge),
        false => Ok(whole.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    // S16
    #[tokio::test]
    async fn a_body_is_unpacked_up_to_its_limit_and_no_further() {
        let bomb = gzip(&vec![b' '; 128 << 20]);
        assert!(bomb.len() < 200 << 10);
        let limit = 512 << 10;
        let read = |bytes: Vec<u8>| read_body(Body::from(bytes), limit);
        assert_eq!(read(bomb).await, Err(BodyError::TooLarge));
        assert_eq!(read(gzip(b"{}")).await.unwrap(), "{}");
        assert_eq!(read(b"{}".to_vec()).await.unwrap(), "{}");
        let mut cut = gzip(&[7; 1_000]);
        cut.truncate(12);
        assert_eq!(read(cut).await, Err(BodyError::Broken));
        assert_eq!(read(vec![b'x'; limit + 1]).await, Err(BodyError::TooLarge));
    }
}
