//! A vendor that knows the secrets and says them, each in a way of its own.

use super::super::{head, read};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onefold::host::Connector;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a vendor may say a secret.
pub const WAYS: [&str; 18] = [
    "body", "header", "error", "redirect", "gzip", "latin", "base64", "inside", "hex", "percent",
    "json", "html", "lower", "late", "short", "digits", "twice", "reversed",
];

/// The secret that this way is tried with: one that no other way has.
pub fn canary(kind: &str, way: &str) -> String {
    match way {
        "short" => format!("q{}#z", &kind[..3]),
        "digits" => format!(
            "9053{}77310",
            kind.len() * 7919 + usize::from(kind.as_bytes()[0])
        ),
        // It may be a part of a host's name.
        "redirect" => format!("kx9-{kind}-qm7-w8"),
        _ => format!("Kx9/{kind}+{way}\"Qm7<Z&w8"),
    }
}

/// What is looked for where the vendor said it in this way.
pub fn needle(kind: &str, way: &str) -> Vec<u8> {
    let secret = canary(kind, way);
    match way {
        "hex" | "percent" | "html" | "lower" | "twice" | "reversed" | "base64" => {
            spelled(way, &secret)
        }
        _ => secret.into_bytes(),
    }
}

fn spelled(way: &str, secret: &str) -> Vec<u8> {
    match way {
        "latin" => [b"\xff\xfe", secret.as_bytes(), b"\xff"].concat(),
        "base64" => STANDARD.encode(secret).into_bytes(),
        "inside" => STANDARD.encode(format!("id=7&t={secret}&x=1")).into_bytes(),
        "hex" => secret
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into_bytes(),
        "percent" => percent(secret).into_bytes(),
        "json" => serde_json::json!({ "token": secret })
            .to_string()
            .into_bytes(),
        "html" => html(secret).into_bytes(),
        "lower" => secret.to_lowercase().into_bytes(),
        // In front of it as much as a message may have, less a few bytes.
        "late" => format!("{}{secret}", "x".repeat(185)).into_bytes(),
        "twice" => STANDARD.encode(STANDARD.encode(secret)).into_bytes(),
        "reversed" => secret.bytes().rev().collect(),
        _ => secret.as_bytes().to_vec(),
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Whether a content holds these bytes, as they are, in JSON, in a URL or in base64.
pub fn finds(content: &str, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let json = serde_json::to_string(&text).unwrap();
    let json = json.trim_matches('"').to_owned();
    let twice = serde_json::to_string(&json)
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let mut needles = vec![text.to_string(), json, twice, percent(&text)];
    for before in 0..3 {
        let padded = [&vec![b' '; before][..], bytes].concat();
        let (first, last) = ([0, 2, 3][before], padded.len() * 8 / 6);
        for encoded in [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            needles.push(encoded[first..last].to_owned());
        }
    }
    needles.iter().any(|needle| content.contains(needle))
}

/// Whether a content holds a secret in any spelling that is promised to be found.
pub fn holds(content: &str, secret: &str) -> bool {
    let ways = ["body", "hex", "percent", "html", "lower"];
    ways.iter().any(|way| finds(content, &spelled(way, secret)))
}

/// What a guest saw of an answer: it tells it in a form that nobody recognises.
pub fn seen_by(connector: &mut dyn Connector, url: &str) -> Vec<u8> {
    let batch = read(connector, "tell-in-hex", url).unwrap();
    let row: serde_json::Value = serde_json::from_slice(&batch.upserts.data).unwrap();
    let pairs = row["name"].as_str().unwrap().split_terminator(',');
    let digits = pairs.map(|pair| pair.split_once('.').unwrap().0);
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

pub struct Echo {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self {
            port,
            heads,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn url(&self, way: &str, kind: &str) -> String {
        format!("http://127.0.0.1:{}/{way}/{kind}", self.port)
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The file in which the secret of this way is.
    pub fn keep(&self, way: &str, kind: &str) -> String {
        let file = self.folder.path().join(format!("{kind}-{way}"));
        std::fs::write(&file, canary(kind, way)).unwrap();
        file.display().to_string()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let Some(head) = head(&mut reader) else {
            return;
        };
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        seen.lock().unwrap().push(head);
        let (way, kind) = path[1..].split_once('/').unwrap_or((&path[1..], "token"));
        if stream.write_all(&answer(way, kind)).is_err() {
            return;
        }
    }
}

fn answer(way: &str, kind: &str) -> Vec<u8> {
    let secret = canary(kind, way);
    let said = spelled(way, &secret);
    let (status, header, body) = match way {
        "none" => ("200 OK", String::new(), b"{}".to_vec()),
        "header" => ("200 OK", format!("X-Seen: {secret}\r\n"), b"{}".to_vec()),
        "error" => ("400 Bad Request", String::new(), said),
        "redirect" => {
            let location = format!("Location: https://{secret}.evil.example/?t={secret}\r\n");
            ("302 Found", location, said)
        }
        "gzip" => (
            "200 OK",
            "Content-Encoding: gzip\r\n".to_owned(),
            gzip(&said),
        ),
        _ => ("200 OK", String::new(), said),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// One stored block.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut file = vec![31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(content);
    let mut sum = u32::MAX;
    for byte in content {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    file.extend((!sum).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}
