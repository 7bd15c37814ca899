//! Traces of what is done with each batch, from the page to the receipt: spans per batch, never per record, exported in the background.
//! What they say is names of the manifests, counts and problem codes. Off, a span is an empty option.

use crate::egress::{EXPORT, OtlpClient};
use crate::manifest::Plan;
use opentelemetry::trace::{
    Span as _, SpanContext, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Batches whose changes can be traced to them. Changes of older ones begin traces of their own.
const REMEMBERED: usize = 4_096;
/// How long the last spans may take to be sent when a hub stops.
const LAST: Duration = Duration::from_secs(1);

/// Where spans go, if anywhere. Cheap to clone.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Exporting>>);

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// The first change after those of a batch, and the batch's span.
    marked: Mutex<VecDeque<(i64, SpanContext)>>,
}

/// One piece of work. It ends when it is dropped.
#[derive(Default)]
pub struct Span(Option<opentelemetry_sdk::trace::Span>);

/// A span that others are within, also after it has ended.
#[derive(Clone, Default)]
pub struct Within(Option<SpanContext>);

impl Trace {
    /// Sends spans to a collector. Only in a runtime; the error says why it cannot be done.
    fn to(origin: &str, hub: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OtlpClient::new()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{origin}/v1/traces"))
            .with_timeout(EXPORT)
            .build()
            .map_err(|error| error.to_string())?;
        let resource = Resource::builder_empty()
            .with_service_name("onefold")
            .with_attribute(KeyValue::new("onefold.hub", hub.to_owned()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self(Some(Arc::new(Exporting {
            tracer: provider.tracer("onefold"),
            provider,
            marked: Mutex::default(),
        }))))
    }

    /// As the manifests say.
    pub fn of(plan: &Plan) -> Self {
        let Some(origin) = &plan.telemetry.otlp else {
            return Self::default();
        };
        Self::to(origin, &plan.hub.name).unwrap_or_else(|error| {
            tracing::warn!(error, "no traces are sent");
            Self::default()
        })
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a piece of work.
    pub fn span(&self, name: &'static str, within: &Within) -> Span {
        let Some(exporting) = &self.0 else {
            return Span::default();
        };
        let context = match &within.0 {
            Some(of) => Context::new().with_remote_span_context(of.clone()),
            None => Context::new(),
        };
        Span(Some(exporting.tracer.start_with_context(name, &context)))
    }

    /// Remembers whose the changes before a number are.
    pub fn marked(&self, next_change: i64, within: Within) {
        let (Some(exporting), Within(Some(of))) = (&self.0, within) else {
            return;
        };
        let marked = exporting.marked.lock();
        let mut marked = marked.unwrap_or_else(PoisonError::into_inner);
        if marked.len() == REMEMBERED {
            marked.pop_front();
        }
        marked.push_back((next_change, of));
    }

    /// The batch that marked a change.
    pub fn cause(&self, change: i64) -> Within {
        let Some(exporting) = &self.0 else {
            return Within::default();
        };
        let marked = exporting.marked.lock();
        let marked = marked.unwrap_or_else(PoisonError::into_inner);
        let index = marked.partition_point(|(next, _)| *next <= change);
        Within(marked.get(index).map(|(_, of)| of.clone()))
    }

    /// Sends what is left, for a moment.
    pub async fn end(&self) {
        if let Some(exporting) = &self.0 {
            let provider = exporting.provider.clone();
            let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST));
            // What could not be sent is lost, and nothing else.
            let _ = ended.await;
        }
    }
}

impl Span {
    pub fn within(&self) -> Within {
        Within(self.0.as_ref().map(|span| span.span_context().clone()))
    }

    pub fn text(mut self, key: &'static str, value: &str) -> Self {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value.to_owned()));
        }
        self
    }

    pub fn number(&mut self, key: &'static str, value: i64) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// It failed, with a problem code: messages may quote vendors.
    pub fn failed(&mut self, code: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(code));
        }
    }
}
