//! The border: whatever a guest answers is cleaned of secrets here, before any other part of the hub sees it. `Guest::ask` takes
//! only what can be cleaned, so no call can forget it.

use crate::host::state::{LONGEST_SECRET, cut};
use crate::host::types::Scrub;
use crate::host::wire::types::{Chunk, Detail, Error};
use crate::host::wire::{audience, destination, meta, privacy, source, webhook};

/// More of a text for people than any message may have.
const WORDS_BYTES: usize = 8 << 10;

/// An answer of a guest. What is for people is cut, too: a text can be as large as a guest's memory.
pub trait Told {
    fn clean(&mut self, scrub: &Scrub);
}

/// A text for people. Secrets are taken out before it is cut: half of one would no longer be recognised.
fn words(text: &mut String, scrub: &Scrub) {
    let clean = scrub.words(cut(text, WORDS_BYTES + LONGEST_SECRET));
    *text = cut(&clean, WORDS_BYTES).to_owned();
}

/// A text that is stored and used, such as an id.
fn data(text: &mut String, scrub: &Scrub) {
    if let Some(clean) = scrub.data(text.as_bytes()) {
        *text = String::from_utf8_lossy(&clean).into_owned();
    }
}

fn bytes(content: &mut Vec<u8>, scrub: &Scrub) {
    if let Some(clean) = scrub.data(content) {
        *content = clean;
    }
}

impl Told for String {
    fn clean(&mut self, scrub: &Scrub) {
        data(self, scrub);
    }
}

impl<T: Told> Told for Option<T> {
    fn clean(&mut self, scrub: &Scrub) {
        self.iter_mut().for_each(|told| told.clean(scrub));
    }
}

impl<T: Told> Told for Vec<T> {
    fn clean(&mut self, scrub: &Scrub) {
        self.iter_mut().for_each(|told| told.clean(scrub));
    }
}

impl<A: Told, B: Told> Told for (A, B) {
    fn clean(&mut self, scrub: &Scrub) {
        self.0.clean(scrub);
        self.1.clean(scrub);
    }
}

impl Told for Error {
    fn clean(&mut self, scrub: &Scrub) {
        match self {
            Self::Config(detail)
            | Self::Auth(detail)
            | Self::Permission(detail)
            | Self::Transient(detail)
            | Self::Permanent(detail)
            | Self::CursorExpired(detail)
            | Self::Other(detail) => detail.clean(scrub),
            Self::RateLimited(limit) => {
                limit.detail.clean(scrub);
                limit.bucket.clean(scrub);
            }
            Self::Cancelled => {}
        }
    }
}

impl Told for Detail {
    fn clean(&mut self, scrub: &Scrub) {
        words(&mut self.code, scrub);
        words(&mut self.message, scrub);
        self.data.clean(scrub);
    }
}

impl Told for meta::CheckReport {
    fn clean(&mut self, scrub: &Scrub) {
        let texts = self.account.iter_mut().chain(&mut self.warnings);
        texts.for_each(|text| words(text, scrub));
    }
}

impl Told for source::StreamInfo {
    fn clean(&mut self, scrub: &Scrub) {
        let texts = [
            &mut self.name,
            &mut self.title,
            &mut self.schema,
            &mut self.data_classes,
        ];
        texts.into_iter().for_each(|text| data(text, scrub));
        self.primary_key.clean(scrub);
        self.cursor_fields.clean(scrub);
    }
}

impl Told for Chunk {
    fn clean(&mut self, scrub: &Scrub) {
        data(&mut self.encoding, scrub);
        bytes(&mut self.data, scrub);
    }
}

impl Told for source::Batch {
    fn clean(&mut self, scrub: &Scrub) {
        self.upserts.clean(scrub);
        self.deletes.clean(scrub);
        bytes(&mut self.cursor, scrub);
    }
}

impl Told for destination::Target {
    fn clean(&mut self, scrub: &Scrub) {
        let texts = [&mut self.name, &mut self.title, &mut self.schema];
        texts.into_iter().for_each(|text| data(text, scrub));
        self.keys.clean(scrub);
    }
}

impl Told for destination::Outcome {
    fn clean(&mut self, scrub: &Scrub) {
        for failure in &mut self.failures {
            words(&mut failure.code, scrub);
            words(&mut failure.message, scrub);
        }
        self.job.clean(scrub);
    }
}

impl Told for audience::Outcome {
    fn clean(&mut self, scrub: &Scrub) {
        for failure in &mut self.failures {
            words(&mut failure.code, scrub);
            words(&mut failure.message, scrub);
        }
        self.job.clean(scrub);
    }
}

impl Told for audience::AudienceRef {
    fn clean(&mut self, scrub: &Scrub) {
        data(&mut self.id, scrub);
        data(&mut self.name, scrub);
    }
}

impl Told for privacy::Status {
    fn clean(&mut self, scrub: &Scrub) {
        match self {
            Self::Pending(job) => data(job, scrub),
            Self::Manual(text) => words(text, scrub),
            Self::Done(_) | Self::NotFound => {}
        }
    }
}

impl Told for webhook::Rows {
    fn clean(&mut self, scrub: &Scrub) {
        data(&mut self.stream, scrub);
        self.upserts.clean(scrub);
        self.deletes.clean(scrub);
    }
}

impl Told for webhook::Reply {
    fn clean(&mut self, scrub: &Scrub) {
        bytes(&mut self.body, scrub);
        self.rows.clean(scrub);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn scrub() -> Scrub {
        Scrub {
            words: Arc::new(|text| text.replace("s3cret", "[secret]")),
            data: Arc::new(|content| {
                let text = std::str::from_utf8(content).ok()?;
                let clean = text.replace("s3cret", "[secret]");
                (clean != text).then(|| clean.into_bytes())
            }),
        }
    }

    /// What a value looks like once it was cleaned.
    fn cleaned<T: Told + std::fmt::Debug>(mut told: T) -> String {
        told.clean(&scrub());
        format!("{told:?}")
    }

    #[test]
    fn nothing_that_a_guest_can_answer_keeps_a_secret() {
        let text = || "a s3cret".to_owned();
        let chunk = || Chunk {
            encoding: text(),
            count: 1,
            data: b"{\"a\":\"s3cret\"}\n".to_vec(),
        };
        let detail = || Detail {
            code: text(),
            message: text(),
            http_status: None,
            data: Some(text()),
        };
        let limit = || crate::host::wire::types::RateLimit {
            detail: detail(),
            retry_after_ms: None,
            bucket: Some(text()),
        };
        let told = [
            cleaned(Error::Other(detail())),
            cleaned(Error::RateLimited(limit())),
            cleaned(meta::CheckReport {
                account: Some(text()),
                warnings: vec![text()],
            }),
            cleaned(source::StreamInfo {
                name: text(),
                title: text(),
                schema: text(),
                primary_key: vec![text()],
                cursor_fields: vec![text()],
                data_classes: text(),
                supports_deletes: true,
            }),
            cleaned(source::Batch {
                upserts: chunk(),
                deletes: Some(chunk()),
                cursor: text().into_bytes(),
                done: true,
            }),
            cleaned(destination::Outcome {
                failures: vec![destination::Failure {
                    index: 0,
                    retryable: false,
                    code: text(),
                    message: text(),
                }],
                job: Some(text()),
            }),
            cleaned(Some(audience::Outcome {
                failures: vec![audience::Failure {
                    index: 0,
                    retryable: false,
                    code: text(),
                    message: text(),
                }],
                job: Some(text()),
            })),
            cleaned((
                vec![audience::AudienceRef {
                    id: text(),
                    name: text(),
                    size: None,
                }],
                Some(text()),
            )),
            cleaned((privacy::Status::Manual(text()), Some(text()))),
            cleaned((privacy::Status::Pending(text()), None::<String>)),
            cleaned(webhook::Reply {
                status: 200,
                body: text().into_bytes(),
                rows: vec![webhook::Rows {
                    stream: text(),
                    upserts: chunk(),
                    deletes: Some(chunk()),
                }],
            }),
        ];
        let in_bytes = format!("{:?}", b"s3cret");
        let in_bytes = in_bytes.trim_matches(['[', ']']);
        for text in told {
            assert!(
                !text.contains("s3cret") && !text.contains(in_bytes),
                "{text}"
            );
        }
    }

    #[test]
    fn a_text_is_cleaned_before_it_is_cut() {
        let mut text = "x".repeat(WORDS_BYTES - 3) + "s3cret";
        words(&mut text, &scrub());
        assert!(text.ends_with("x[se"), "{}", &text[text.len() - 10..]);
        assert_eq!(text.len(), WORDS_BYTES);
    }
}
