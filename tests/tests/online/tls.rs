//! Encrypted connections: certificates that are wrong are refused before anything is served, new ones are read while it runs, and slow clients
//! are no better off with a handshake.

use super::{KEY, Online, basic, pause, track};
use crate::hub::Hub;
use onefold_tests::need::need;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn write(folder: &Path, certified: &CertifiedKey<KeyPair>) {
    std::fs::write(folder.join("hub.pem"), certified.cert.pem()).unwrap();
    let key = certified.signing_key.serialize_pem();
    std::fs::write(folder.join("hub.key"), key).unwrap();
}

/// A service with a certificate, on all addresses.
fn encrypted(certified: &CertifiedKey<KeyPair>) -> Online {
    let mut online = Online::unstarted();
    write(online.hub.path(), certified);
    let path = online.hub.path().join("hub.toml");
    let manifest = std::fs::read_to_string(path).unwrap();
    let plain = format!("listen = \"127.0.0.1:{}\"", online.port);
    let tls = format!(
        "listen = \"0.0.0.0:{}\"\ncertificate = \"hub.pem\"\nkey = \"hub.key\"",
        online.port
    );
    online
        .hub
        .write("hub.toml", &manifest.replace(&plain, &tls));
    online.spawn();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", online.port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        pause();
    }
    online
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection whose certificate was verified; none where it is another one.
fn connect(port: u16, trusted: &CertificateDer<'static>, protocol: &[u8]) -> Option<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    client.complete_io(&mut stream).ok()?;
    Some(StreamOwned::new(client, stream))
}

fn get(stream: &mut Stream, route: &str) -> String {
    let request = format!("GET {route} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn clients_speak_either_protocol_over_tls_and_a_new_certificate_needs_no_restart() {
    let first = certificate();
    let mut online = encrypted(&first);
    let trusted = first.cert.der().clone();
    let begun = Instant::now();
    loop {
        let mut stream = connect(online.port, &trusted, b"http/1.1").unwrap();
        if get(&mut stream, "/readyz").contains("200 OK") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        pause();
    }
    // What is not encrypted gets no answer.
    assert!(super::post(online.port, "/v1/batch", &[], b"{}").is_none());
    let curl = Command::new("curl").arg("--version").output().ok();
    let speaks = curl.is_some_and(|said| String::from_utf8_lossy(&said.stdout).contains("HTTP2"));
    if need("HTTP/2", (!speaks).then_some("curl with HTTP/2")) {
        let body = json!({ "batch": [track("1", &json!("u1"))] }).to_string();
        let said = Command::new("curl")
            .args(["--silent", "--http2", "--cacert"])
            .arg(online.hub.path().join("hub.pem"))
            .args([
                "--write-out",
                " %{http_version} %{http_code}",
                "--data",
                &body,
            ])
            .arg("--header")
            .arg(format!("authorization: Basic {}", basic(KEY)))
            .arg(format!("https://localhost:{}/v1/batch", online.port))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            "{\"success\":true} 2 200"
        );
        online.wait_for("select count(*) from event", 1);
    }
    // A half-written file leaves the certificate that is in use.
    std::fs::write(online.hub.path().join("hub.pem"), "-----BEGIN CERT").unwrap();
    std::thread::park_timeout(Duration::from_millis(1_200));
    assert!(connect(online.port, &trusted, b"http/1.1").is_some());
    let second = certificate();
    write(online.hub.path(), &second);
    let renewed = second.cert.der().clone();
    let begun = Instant::now();
    while connect(online.port, &renewed, b"http/1.1").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        pause();
    }
    assert!(connect(online.port, &trusted, b"http/1.1").is_none());
    online.stop();
}

// S15
#[test]
fn s15_the_deadline_holds_before_during_and_after_the_handshake_for_both_protocols() {
    let certified = certificate();
    let mut online = encrypted(&certified);
    let trusted = certified.cert.der();
    let begun = Instant::now();
    let plain = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", online.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    // Nothing; half a handshake's first record.
    let mut silent = [plain(b""), plain(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])];
    let after = |protocol: &[u8], bytes: &[u8]| {
        let mut stream = connect(online.port, trusted, protocol).unwrap();
        stream.write_all(bytes).unwrap();
        stream.flush().unwrap();
        stream
    };
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    // The beginning of the head of a request that never ends.
    let half = [PREFACE, b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82"].concat();
    let mut encrypted = [
        after(b"http/1.1", b""),
        after(b"http/1.1", b"GET /readyz HTTP/1.1\r\nhost: h\r\nx-"),
        after(b"h2", b""),
        after(b"h2", PREFACE),
        after(b"h2", &half),
    ];
    let mut rest = Vec::new();
    for stream in &mut silent {
        let _ = stream.read_to_end(&mut rest);
    }
    for stream in &mut encrypted {
        let _ = stream.read_to_end(&mut rest);
    }
    let took = begun.elapsed();
    let limit = Duration::from_secs(9)..Duration::from_secs(16);
    assert!(limit.contains(&took), "{took:?}");
    // Who keeps on holding connections does not keep it from stopping.
    let _held = [after(b"h2", PREFACE), after(b"http/1.1", b"GET")];
    let begun = Instant::now();
    online.stop();
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let manifest = "[hub]\nname = \"x\"\nstore = \"sqlite:hub.db\"\n\n[serve]\nlisten = \"127.0.0.1:0\"\ncertificate = \"hub.pem\"\nkey = \"hub.key\"\n";
    let hub = Hub::new();
    hub.write("hub.toml", manifest);
    let refused = |code: &str, why: &str| {
        let ran = hub.run(&["serve"]).ends_with(2);
        assert!(
            ran.stderr.contains(code) && ran.stderr.contains(why),
            "{ran:?}"
        );
    };
    refused("OF0940", "cannot be read");
    let (one, other) = (certificate(), certificate());
    write(hub.path(), &one);
    hub.write("hub.pem", "no certificate");
    refused("OF0940", "there is no certificate in it");
    write(hub.path(), &one);
    hub.write("hub.key", &one.cert.pem());
    refused("OF0940", "there is no key in it");
    hub.write("hub.key", &other.signing_key.serialize_pem());
    refused("OF0941", "cannot be used with the certificate");
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 1);
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let certified = CertifiedKey { cert, signing_key };
    let mut online = encrypted(&certified);
    let said = online.end();
    assert!(
        said.contains("OF0942") && said.contains("has expired"),
        "{said}"
    );
}

#[test]
fn no_address_beyond_this_machine_is_served_in_plain_text() {
    for address in [
        "0.0.0.0:7117",
        "[::]:7117",
        "192.0.2.1:7117",
        "[2001:db8::1]:7117",
    ] {
        let hub = Hub::new();
        let manifest = format!(
            "[hub]\nname = \"x\"\nstore = \"sqlite:hub.db\"\n\n[serve]\nlisten = \"{address}\"\n"
        );
        hub.write("hub.toml", &manifest);
        let ran = hub.run(&["serve"]).ends_with(2);
        assert!(ran.stderr.contains("would not be encrypted"), "{ran:?}");
        assert!(ran.stderr.contains("`certificate` and `key`"), "{ran:?}");
        hub.write("hub.toml", &(manifest + "behind_proxy = true\n"));
        hub.run(&["check"]).ends_with(0);
    }
    for address in ["127.0.0.1:7117", "[::1]:7117", "127.9.9.9:7117"] {
        let hub = Hub::new();
        hub.write("hub.toml", &format!("[hub]\nname = \"x\"\nstore = \"sqlite:hub.db\"\n\n[serve]\nlisten = \"{address}\"\n"));
        hub.run(&["check"]).ends_with(0);
    }
}
