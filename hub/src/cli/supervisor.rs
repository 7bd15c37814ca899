//! What a service says to the supervisor that started it, by systemd's protocol: datagrams to the socket that `NOTIFY_SOCKET` names. Without
//! one, nothing is said.

use crate::opening::Environment;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub struct Supervisor(Option<Arc<Listens>>);

struct Listens {
    socket: PathBuf,
    /// How often the supervisor has to hear that the service is alive.
    alive: Option<Duration>,
}

impl Supervisor {
    pub fn of(environment: &Environment) -> Self {
        let read = &environment.read_env;
        let socket = read("NOTIFY_SOCKET").filter(|socket| socket.starts_with(['/', '@']));
        let micros = read("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        Self(socket.map(|socket| {
            Arc::new(Listens {
                socket: socket.into(),
                // Twice in the time after which it would be killed.
                alive: micros.map(|micros: u64| Duration::from_micros(micros / 2)),
            })
        }))
    }

    pub fn ready(&self) {
        self.say("READY=1");
    }

    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Says that the service is alive, as often as it has to. It runs where the work does: a runtime that is stuck says nothing.
    pub async fn watched(self) {
        let Some(alive) = self.0.as_ref().and_then(|listens| listens.alive) else {
            return;
        };
        let mut ticks = tokio::time::interval(alive.max(Duration::from_millis(10)));
        loop {
            ticks.tick().await;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, state: &str) {
        let Some(listens) = &self.0 else { return };
        // A supervisor that does not listen is not a reason to stop.
        if let Err(error) = send(&listens.socket, state) {
            tracing::warn!(%error, "the supervisor cannot be notified");
        }
    }
}

#[cfg(target_os = "linux")]
fn send(socket: &std::path::Path, state: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match socket.as_os_str().as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn send(_: &std::path::Path, _: &str) -> std::io::Result<()> {
    Ok(())
}
