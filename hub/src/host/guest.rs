//! A connector that runs as WebAssembly: one instance, kept between calls and discarded after a trap, after a limit was hit,
//! or when it has leaked much memory. Turns each call of the trait into one call of the guest.

use crate::host::cancel::Cancel;
use crate::host::component::Component;
use crate::host::state::State;
use crate::host::told::Told;
use crate::host::types::{
    AudiencePage, AudienceRef, Batch, CheckReport, Connection, Connector, Delivery, Erasure,
    Failure, MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo,
    WriteRequest,
};
use crate::host::wire::types::Error;
use crate::host::wire::{audience, destination, meta, privacy, source, webhook};
use crate::host::{convert, failure, wasi};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower};

/// One instance and everything it may still use.
struct Live {
    store: Store<State>,
    instance: Instance,
    /// Its memory after the first call; none before.
    initial_bytes: Option<u64>,
}

impl Live {
    /// Whether its calls have not lost half of what the first one left of the limit.
    fn has_room(&self) -> bool {
        let state = self.store.data();
        let bytes = state.memory_bytes();
        let initial = self.initial_bytes.unwrap_or(bytes);
        let left = state.connection.limits.memory_bytes.saturating_sub(initial);
        bytes.saturating_sub(initial) <= left / 2
    }
}

pub struct Guest {
    component: Component,
    connection: Connection,
    live: Option<Live>,
    /// Learns how much memory an instance had at most.
    most_memory: Option<Arc<AtomicU64>>,
}

impl Guest {
    pub fn new(component: Component, connection: Connection) -> Self {
        Self {
            component,
            connection,
            live: None,
            most_memory: None,
        }
    }

    pub fn metered(mut self, most_memory: Arc<AtomicU64>) -> Self {
        self.most_memory = Some(most_memory);
        self
    }

    /// Calls an export that answers with a result, and takes secrets out of it.
    fn ask<P, T>(&mut self, call: &str, stream: Option<&str>, params: P) -> Result<T, Failure>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        T: Lift + Told + Send + Sync + 'static,
    {
        let (mut answer,) = self.call::<P, (Result<T, Error>,)>(call, stream, params)?;
        match &mut answer {
            Ok(told) => told.clean(&self.connection.scrub),
            Err(error) => error.clean(&self.connection.scrub),
        }
        answer.map_err(|error| {
            let is_exception =
                matches!(&error, Error::Other(detail) if detail.code == failure::EXCEPTION);
            let failure = match &self.live {
                Some(live) => failure::said(error, live.store.data()),
                None => failure::not_exported(call),
            };
            // What the exception left half-done in the instance goes with it.
            self.live.take_if(|_| is_exception);
            failure
        })
    }

    /// Calls an export. After anything but an answer the instance is gone.
    pub fn call<P, R>(&mut self, call: &str, stream: Option<&str>, params: P) -> Result<R, Failure>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let Some(export) = self.component.function(call) else {
            return Err(failure::not_exported(call));
        };
        let mut live = match self.live.take().filter(Live::has_room) {
            Some(live) => live,
            None => self.instantiate()?,
        };
        begin(&mut live.store, stream);
        let answer = live
            .instance
            .get_typed_func::<P, R>(&mut live.store, export)
            .and_then(|function| match self.component.is_wasi() {
                false => function.call(&mut live.store, params),
                true => {
                    let (deadline, waited) = live.store.data().patience();
                    let answer = self.component.wait(
                        deadline,
                        &waited,
                        function.call_async(&mut live.store, params),
                    );
                    answer.unwrap_or_else(|| Err(out_of_time(&mut live.store)))
                }
            });
        wasi::log_output(live.store.data_mut());
        match answer {
            Ok(answer) => {
                let bytes = live.store.data().memory_bytes();
                live.initial_bytes.get_or_insert(bytes);
                self.live = Some(live);
                Ok(answer)
            }
            Err(error) => Err(failure::stopped(&error, call, live.store.data())),
        }
    }

    fn instantiate(&self) -> Result<Live, Failure> {
        let mut state = State::new(
            self.connection.clone(),
            self.component.budget().clone(),
            Instant::now(),
        );
        state.most_memory.clone_from(&self.most_memory);
        if self.component.is_wasi() {
            state.wasi = Some(wasi::Wasi::new(&state));
        }
        let mut store = Store::new(self.component.engine(), state);
        store.limiter(|state| state);
        // The fuel is what the host may allocate while it copies one answer out of the guest.
        let fuel = self.connection.limits.batch_bytes.saturating_mul(2) + (16 << 20);
        store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
        store.set_max_component_handles(10_000);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        begin(&mut store, None);
        let pre = self.component.pre();
        let instance = if self.component.is_wasi() {
            let (deadline, waited) = store.data().patience();
            self.component
                .wait(deadline, &waited, pre.instantiate_async(&mut store))
                .unwrap_or_else(|| Err(out_of_time(&mut store)))
        } else {
            pre.instantiate(&mut store)
        };
        match instance {
            Ok(instance) => Ok(Live {
                store,
                instance,
                initial_bytes: None,
            }),
            Err(error) => Err(failure::stopped(&error, "start", store.data())),
        }
    }

    fn config(&self) -> String {
        self.connection.config.clone()
    }
}

fn begin(store: &mut Store<State>, stream: Option<&str>) {
    let state = store.data_mut();
    state.begin(stream);
    let (deadline, cancel) = (state.deadline(), state.cancel().clone());
    if let Some(wasi) = &mut state.wasi {
        wasi.begin(deadline, cancel);
    }
    store.set_epoch_deadline(1);
}

fn out_of_time(store: &mut Store<State>) -> wasmtime::Error {
    store.data_mut().stop(crate::host::state::Limit::Wall)
}

/// Drives a guest that waits in WASI. Not tokio's `block_on`, because the guest may call the hub's blocking
/// imports from inside. None when the deadline passes first.
pub fn drive<F: Future>(deadline: Instant, waited_ns: &AtomicU64, future: F) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let now = Instant::now();
        if now >= deadline {
            return None;
        }
        std::thread::park_timeout(deadline - now);
        let waited = u64::try_from(now.elapsed().as_nanos()).unwrap_or(u64::MAX);
        waited_ns.fetch_add(waited, Ordering::Relaxed);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Connector for Guest {
    fn cancel_by(&mut self, cancel: &Cancel) {
        self.connection.cancel = cancel.clone();
        if let Some(live) = &mut self.live {
            live.store.data_mut().connection.cancel = cancel.clone();
        }
    }

    fn check(&mut self) -> Result<CheckReport, Failure> {
        let params = (self.config(),);
        let report: meta::CheckReport = self.ask("meta.check", None, params)?;
        Ok(convert::check_report(report))
    }

    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        let params = (self.config(),);
        let streams: Vec<source::StreamInfo> = self.ask("source.discover", None, params)?;
        convert::streams(streams)
    }

    fn split(&mut self, stream: &str, since: Option<&str>) -> Result<Vec<String>, Failure> {
        let params = (self.config(), stream.to_owned(), since.map(str::to_owned));
        convert::parts(self.ask("source.split", Some(stream), params)?)
    }

    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure> {
        let params = (source::ReadRequest {
            config: self.config(),
            stream: request.stream.clone(),
            part: request.part.clone(),
            cursor: request.cursor.clone(),
            since: request.since.clone(),
            until: request.until.clone(),
            max_records: request.max_records,
            max_bytes: request.max_bytes,
        },);
        let batch: source::Batch = self.ask("source.read", Some(&request.stream), params)?;
        convert::batch(batch, &self.connection.limits)
    }

    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure> {
        let params = (self.config(),);
        let targets: Vec<destination::Target> = self.ask("destination.targets", None, params)?;
        convert::targets(targets)
    }

    fn write(&mut self, request: &WriteRequest) -> Result<Outcome, Failure> {
        let params = (destination::WriteRequest {
            config: self.config(),
            target: request.target.clone(),
            mode: convert::mode_to_wire(request.mode),
            rows: convert::chunk_to_wire(&request.rows),
            idempotency_key: request.idempotency_key.clone(),
            verify: request.verify,
        },);
        let outcome: destination::Outcome = self.ask("destination.write", None, params)?;
        convert::write_outcome(outcome, request.rows.count)
    }

    fn poll_write(&mut self, job: &str, rows: u32) -> Result<Option<Outcome>, Failure> {
        let params = (self.config(), job.to_owned());
        let outcome: Option<destination::Outcome> = self.ask("destination.poll", None, params)?;
        outcome
            .map(|outcome| convert::write_outcome(outcome, rows))
            .transpose()
    }

    fn list_audiences(&mut self, page: Option<&str>) -> Result<AudiencePage, Failure> {
        let params = (self.config(), page.map(str::to_owned));
        convert::audience_page(self.ask("audience.list-audiences", None, params)?)
    }

    fn create_audience(
        &mut self,
        name: &str,
        options: Option<&str>,
    ) -> Result<AudienceRef, Failure> {
        let params = (self.config(), name.to_owned(), options.map(str::to_owned));
        let found: audience::AudienceRef = self.ask("audience.create", None, params)?;
        convert::audience_ref(found)
    }

    fn add_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.change_members("audience.add", change)
    }

    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.change_members("audience.remove", change)
    }

    fn poll_audience(&mut self, job: &str, members: u32) -> Result<Option<Outcome>, Failure> {
        let params = (self.config(), job.to_owned());
        let outcome: Option<audience::Outcome> = self.ask("audience.poll", None, params)?;
        outcome
            .map(|outcome| convert::audience_outcome(outcome, members))
            .transpose()
    }

    fn erase(&mut self, ids: &[MemberId], request_id: &str) -> Result<Erasure, Failure> {
        let params = (
            self.config(),
            convert::ids_to_wire(ids),
            request_id.to_owned(),
        );
        let answer: (privacy::Status, Option<String>) =
            self.ask("privacy.erase-subject", None, params)?;
        convert::erasure(answer)
    }

    fn poll_erasure(&mut self, job: &str) -> Result<Erasure, Failure> {
        let params = (self.config(), job.to_owned());
        let answer: (privacy::Status, Option<String>) =
            self.ask("privacy.poll-erasure", None, params)?;
        convert::erasure(answer)
    }

    fn receive(&mut self, delivery: &Delivery) -> Result<Reply, Failure> {
        let params = (
            self.config(),
            webhook::Delivery {
                headers: delivery.headers.clone(),
                query: delivery.query.clone(),
                body: delivery.body.clone(),
            },
        );
        let reply: webhook::Reply = self.ask("webhook.receive", None, params)?;
        convert::reply(reply, &self.connection.limits)
    }
}

impl Guest {
    fn change_members(&mut self, call: &str, change: &MemberChange) -> Result<Outcome, Failure> {
        let members = u32::try_from(change.members.len()).unwrap_or(u32::MAX);
        let params = (convert::change_to_wire(&self.connection.config, change),);
        let outcome: audience::Outcome = self.ask(call, None, params)?;
        convert::audience_outcome(outcome, members)
    }
}
