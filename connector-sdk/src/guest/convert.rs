//! Between the SDK's types and the bindings', one module for each interface. The macro is for a type that the
//! contract spells twice.

use super::meta::onefold::connector::types as wire;
use super::{Component, hub};
use crate::connector::{Audience, Connector, Destination, Privacy, Source, Webhook, call};
use crate::types;

fn detail(detail: types::Detail) -> wire::Detail {
    wire::Detail {
        code: detail.code,
        message: detail.message,
        http_status: detail.http_status,
        data: detail.data,
    }
}

fn error(error: types::Error) -> wire::Error {
    match error {
        types::Error::Config(it) => wire::Error::Config(detail(it)),
        types::Error::Auth(it) => wire::Error::Auth(detail(it)),
        types::Error::Permission(it) => wire::Error::Permission(detail(it)),
        types::Error::RateLimited(limit) => wire::Error::RateLimited(wire::RateLimit {
            detail: detail(limit.detail),
            retry_after_ms: limit.retry_after_ms,
            bucket: limit.bucket,
        }),
        types::Error::Transient(it) => wire::Error::Transient(detail(it)),
        types::Error::Permanent(it) => wire::Error::Permanent(detail(it)),
        types::Error::CursorExpired(it) => wire::Error::CursorExpired(detail(it)),
        types::Error::Cancelled => wire::Error::Cancelled,
        types::Error::Other(it) => wire::Error::Other(detail(it)),
    }
}

fn to_chunk(chunk: types::Chunk) -> wire::Chunk {
    wire::Chunk {
        encoding: "json-lines".to_owned(),
        count: chunk.count,
        data: chunk.data,
    }
}

fn from_chunk(chunk: wire::Chunk) -> Result<types::Chunk, wire::Error> {
    if chunk.encoding != "json-lines" {
        return Err(error(types::Error::permanent(
            "sdk.encoding",
            format!(
                "rows came in the encoding `{}`, which this connector does not know",
                chunk.encoding
            ),
        )));
    }
    Ok(types::Chunk {
        count: chunk.count,
        data: chunk.data,
    })
}

mod meta {
    use super::super::meta::exports::onefold::connector::meta as bound;
    use super::*;

    impl<T: Connector> bound::Guest for Component<T> {
        fn manifest() -> String {
            T::MANIFEST.to_owned()
        }

        fn config_schema() -> String {
            T::CONFIG_SCHEMA.to_owned()
        }

        fn check(config: String) -> Result<bound::CheckReport, wire::Error> {
            let report = call::check::<T>(&hub(), &config).map_err(error)?;
            Ok(bound::CheckReport {
                account: report.account,
                warnings: report.warnings,
            })
        }
    }
}

/// `destination` and `audience` have outcomes of the same shape.
macro_rules! outcome {
    () => {
        fn outcome(outcome: types::Outcome) -> bound::Outcome {
            let bind = |failure: types::Failure| bound::Failure {
                index: failure.index,
                retryable: failure.retryable,
                code: failure.code,
                message: failure.message,
            };
            bound::Outcome {
                failures: outcome.failures.into_iter().map(bind).collect(),
                job: outcome.job,
            }
        }
    };
}

fn identifier(id: wire::Identifier) -> types::Identifier {
    types::Identifier {
        kind: match id.kind {
            wire::IdKind::Email => types::IdKind::Email,
            wire::IdKind::Phone => types::IdKind::Phone,
            wire::IdKind::ExternalId => types::IdKind::ExternalId,
            wire::IdKind::Device => types::IdKind::Device,
            wire::IdKind::Address => types::IdKind::Address,
        },
        form: match id.form {
            wire::IdForm::Plain => types::IdForm::Plain,
            wire::IdForm::Sha256Hex => types::IdForm::Sha256Hex,
        },
        value: id.value,
    }
}

mod source {
    use super::super::source::exports::onefold::connector::source as bound;
    use super::*;

    impl<T: Source> bound::Guest for Component<T> {
        fn discover(config: String) -> Result<Vec<bound::StreamInfo>, wire::Error> {
            let streams = call::discover::<T>(&hub(), &config).map_err(error)?;
            let bind = |stream: types::StreamInfo| bound::StreamInfo {
                name: stream.name,
                title: stream.title,
                schema: stream.schema,
                primary_key: stream.primary_key,
                cursor_fields: stream.cursor_fields,
                data_classes: stream.data_classes,
                supports_deletes: stream.supports_deletes,
            };
            Ok(streams.into_iter().map(bind).collect())
        }

        fn split(
            config: String,
            stream: String,
            since: Option<String>,
        ) -> Result<Vec<String>, wire::Error> {
            call::split::<T>(&hub(), &config, &stream, since.as_deref()).map_err(error)
        }

        fn read(request: bound::ReadRequest) -> Result<bound::Batch, wire::Error> {
            let config = request.config;
            let request = types::ReadRequest {
                stream: request.stream,
                part: request.part,
                cursor: request.cursor,
                since: request.since,
                until: request.until,
                max_records: request.max_records,
                max_bytes: request.max_bytes,
            };
            let batch = call::read::<T>(&hub(), &config, &request).map_err(error)?;
            Ok(bound::Batch {
                upserts: to_chunk(batch.upserts),
                deletes: batch.deletes.map(to_chunk),
                cursor: batch.cursor,
                done: batch.done,
            })
        }
    }
}

mod webhook {
    use super::super::webhook::exports::onefold::connector::webhook as bound;
    use super::*;

    impl<T: Webhook> bound::Guest for Component<T> {
        fn receive(config: String, delivery: bound::Delivery) -> Result<bound::Reply, wire::Error> {
            let delivery = types::Delivery {
                headers: delivery.headers,
                query: delivery.query,
                body: delivery.body,
            };
            let reply = call::receive::<T>(&hub(), &config, &delivery).map_err(error)?;
            let bind = |rows: types::StreamRows| bound::Rows {
                stream: rows.stream,
                upserts: to_chunk(rows.upserts),
                deletes: rows.deletes.map(to_chunk),
            };
            Ok(bound::Reply {
                status: reply.status,
                body: reply.body,
                rows: reply.rows.into_iter().map(bind).collect(),
            })
        }
    }
}

mod destination {
    use super::super::destination::exports::onefold::connector::destination as bound;
    use super::*;

    outcome!();

    fn mode(mode: types::Mode) -> bound::Mode {
        match mode {
            types::Mode::Upsert => bound::Mode::Upsert,
            types::Mode::UpdateOnly => bound::Mode::UpdateOnly,
            types::Mode::CreateOnly => bound::Mode::CreateOnly,
            types::Mode::Delete => bound::Mode::Delete,
        }
    }

    impl<T: Destination> bound::Guest for Component<T> {
        fn targets(config: String) -> Result<Vec<bound::Target>, wire::Error> {
            let targets = call::targets::<T>(&hub(), &config).map_err(error)?;
            let bind = |target: types::TargetInfo| bound::Target {
                name: target.name,
                title: target.title,
                schema: target.schema,
                modes: target.modes.into_iter().map(mode).collect(),
                keys: target.keys,
                max_batch: target.max_batch,
            };
            Ok(targets.into_iter().map(bind).collect())
        }

        fn write(request: bound::WriteRequest) -> Result<bound::Outcome, wire::Error> {
            let config = request.config;
            let request = types::WriteRequest {
                target: request.target,
                mode: match request.mode {
                    bound::Mode::Upsert => types::Mode::Upsert,
                    bound::Mode::UpdateOnly => types::Mode::UpdateOnly,
                    bound::Mode::CreateOnly => types::Mode::CreateOnly,
                    bound::Mode::Delete => types::Mode::Delete,
                },
                rows: from_chunk(request.rows)?,
                idempotency_key: request.idempotency_key,
                verify: request.verify,
            };
            let done = call::write::<T>(&hub(), &config, &request).map_err(error)?;
            Ok(outcome(done))
        }

        fn poll(config: String, job: String) -> Result<Option<bound::Outcome>, wire::Error> {
            let done = call::poll::<T>(&hub(), &config, &job).map_err(error)?;
            Ok(done.map(outcome))
        }
    }
}

mod audience {
    use super::super::audience::exports::onefold::connector::audience as bound;
    use super::*;

    outcome!();

    fn reference(audience: types::AudienceRef) -> bound::AudienceRef {
        bound::AudienceRef {
            id: audience.id,
            name: audience.name,
            size: audience.size,
        }
    }

    fn change(change: bound::Change) -> (String, types::AudienceChange) {
        let member = |member: bound::Member| types::Member {
            ids: member.ids.into_iter().map(identifier).collect(),
            traits: member.traits,
        };
        let plain = types::AudienceChange {
            audience: change.audience,
            members: change.members.into_iter().map(member).collect(),
            idempotency_key: change.idempotency_key,
            verify: change.verify,
        };
        (change.config, plain)
    }

    impl<T: Audience> bound::Guest for Component<T> {
        fn list_audiences(
            config: String,
            page: Option<String>,
        ) -> Result<(Vec<bound::AudienceRef>, Option<String>), wire::Error> {
            let (found, next) =
                call::list_audiences::<T>(&hub(), &config, page.as_deref()).map_err(error)?;
            Ok((found.into_iter().map(reference).collect(), next))
        }

        fn create(
            config: String,
            name: String,
            options: Option<String>,
        ) -> Result<bound::AudienceRef, wire::Error> {
            call::create::<T>(&hub(), &config, &name, options.as_deref())
                .map(reference)
                .map_err(error)
        }

        fn add(request: bound::Change) -> Result<bound::Outcome, wire::Error> {
            let (config, request) = change(request);
            call::add::<T>(&hub(), &config, &request)
                .map(outcome)
                .map_err(error)
        }

        fn remove(request: bound::Change) -> Result<bound::Outcome, wire::Error> {
            let (config, request) = change(request);
            call::remove::<T>(&hub(), &config, &request)
                .map(outcome)
                .map_err(error)
        }

        fn poll(config: String, job: String) -> Result<Option<bound::Outcome>, wire::Error> {
            let done = call::poll_audience::<T>(&hub(), &config, &job).map_err(error)?;
            Ok(done.map(outcome))
        }
    }
}

mod privacy {
    use super::super::privacy::exports::onefold::connector::privacy as bound;
    use super::*;

    fn erasure(erasure: types::Erasure) -> (bound::Status, Option<String>) {
        let status = match erasure.status {
            types::ErasureStatus::Done(records) => bound::Status::Done(records),
            types::ErasureStatus::Pending(job) => bound::Status::Pending(job),
            types::ErasureStatus::NotFound => bound::Status::NotFound,
            types::ErasureStatus::Manual(text) => bound::Status::Manual(text),
        };
        (status, erasure.evidence)
    }

    impl<T: Privacy> bound::Guest for Component<T> {
        fn erase_subject(
            config: String,
            ids: Vec<bound::Identifier>,
            request_id: String,
        ) -> Result<(bound::Status, Option<String>), wire::Error> {
            let ids: Vec<_> = ids.into_iter().map(identifier).collect();
            call::erase_subject::<T>(&hub(), &config, &ids, &request_id)
                .map(erasure)
                .map_err(error)
        }

        fn poll_erasure(
            config: String,
            job: String,
        ) -> Result<(bound::Status, Option<String>), wire::Error> {
            call::poll_erasure::<T>(&hub(), &config, &job)
                .map(erasure)
                .map_err(error)
        }
    }
}
