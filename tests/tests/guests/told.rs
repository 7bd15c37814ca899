//! What vendors and connectors say, made to leak or to forge when it is stored and shown (X5 to X7, X9, X12).

mod canary;
mod echo;
mod others;

use super::peak::Peak;
use super::{World, guests_folder, read};
use crate::hub::Hub;
use echo::{Echo, WAYS, canary};
use onefold::host::{Chunk, WriteMode, WriteRequest};
use onefold::manifest::SecretRef;
use std::path::Path;
use std::time::{Duration, Instant};

/// What credentials the adversary has, in the manifest's words.
const KINDS: [&str; 4] = ["token", "login", "key", "hook"];

/// A hub's manifest with one source for each of these: its name, the credential, and the way in which the vendor says it.
fn manifest(echo: &Echo, stream: &str, sources: &[(String, &str, &str)]) -> String {
    let mut text = "[hub]\nname = \"told\"\nstore = \"sqlite:told.db\"\n".to_owned();
    for (name, kind, way) in sources {
        text += &format!("[[source]]\nname = \"{name}\"\nstreams = [\"{stream}\"]\n");
        text += &connection(echo, kind, way);
    }
    text
}

fn connection(echo: &Echo, kind: &str, way: &str) -> String {
    let mut text = format!(
        "connector = \"adversary\"\nconfig.url = \"{}\"\nconfig.auth = \"{}\"\ngrant.addresses = [\"127.0.0.1:{}\"]\n",
        echo.url(way, kind),
        auth(kind),
        echo.port
    );
    for kind in KINDS {
        text += &format!("credential.{kind} = \"env:{}\"\n", variable(kind, way));
    }
    text
}

/// What a request is sent with whose answer tells of this credential.
fn auth(kind: &str) -> &str {
    match kind {
        "hook" => "token",
        sent => sent,
    }
}

fn variable(kind: &str, way: &str) -> String {
    format!("CANARY_{kind}_{way}")
        .to_uppercase()
        .replace('-', "_")
}

/// A hub with the adversary in it, and the canaries in its environment.
fn hub(manifest: &str) -> Hub {
    let mut hub = Hub::new();
    let folder = hub.path().join("connectors");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(
        guests_folder().join("adversary.wasm"),
        folder.join("adversary.wasm"),
    )
    .unwrap();
    hub.write("hub.toml", manifest);
    for kind in KINDS {
        for way in WAYS {
            hub.set_secret(&variable(kind, way), &canary(kind, way));
        }
    }
    hub
}

/// Every file below a folder, with what of its content is text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                // A hub that works may have taken it away since.
                let Ok(content) = std::fs::read(&path) else {
                    continue;
                };
                let content = String::from_utf8_lossy(&content).into_owned();
                found.push((path.display().to_string(), content));
            }
        }
    }
    found
}

/// The files in which a secret is, in any of the spellings that are promised to be found.
fn leaks(folder: &Path, secret: &str) -> Vec<String> {
    let found = files(folder).into_iter();
    let found = found.filter(|(_, content)| echo::holds(content, secret));
    found.map(|(name, _)| name).collect()
}

#[test]
fn x5_what_a_vendor_repeats_in_rows_failures_and_bodies_is_stored_nowhere() {
    let _peak = Peak::of("x5");
    let echo = Echo::start();
    for stream in ["tell", "tell-in-error", "tell-in-cursor", "tell-in-log"] {
        let sources: Vec<_> = ["body", "latin", "base64", "header", "percent"]
            .into_iter()
            .map(|way| (format!("{stream}-{way}"), "token", way))
            .collect();
        let hub = hub(&manifest(&echo, stream, &sources));
        let ran = hub.run(&["run", "--capture"]);
        for (name, kind, way) in &sources {
            let secret = canary(kind, way);
            assert_eq!(leaks(hub.path(), &secret), Vec::<String>::new(), "{name}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!echo::holds(&said, &secret), "{name}: {said}");
        }
    }
}

#[test]
fn x5_what_a_vendor_repeats_in_the_failure_of_a_sent_row_is_in_no_table() {
    let _peak = Peak::of("x5");
    let echo = Echo::start();
    let mut text = manifest(&echo, "fetch", &[]);
    text += "[[source]]\nname = \"crm\"\nstreams = [\"forge\"]\n";
    text += &connection(&echo, "token", "body");
    for way in ["body", "latin", "base64", "percent"] {
        text += &format!(
            "[[destination]]\nname = \"out_{way}\"\nconsent = []\nperson = {{ match = \"email\", map = {{ name = \"first_name\" }} }}\n"
        );
        text += &connection(&echo, "login", way);
    }
    let hub = hub(&text);
    let ran = hub.run(&["run"]);
    let letters = hub.run(&["dead-letters", "list", "--json"]);
    assert!(letters.stdout.contains("out_body"), "{ran:?} {letters:?}");
    for way in ["body", "latin", "base64", "percent"] {
        let secret = canary("login", way);
        assert_eq!(leaks(hub.path(), &secret), Vec::<String>::new(), "{way}");
        assert!(!echo::holds(&letters.stdout, &secret), "{letters:?}");
    }
}

#[test]
fn x5_what_check_says_and_what_is_recorded_hold_no_secret() {
    let _peak = Peak::of("x5");
    let echo = Echo::start();
    for way in ["body", "latin", "base64", "percent", "lower"] {
        let sources = [("crm".to_owned(), "key", way)];
        let hub = hub(&manifest(&echo, "tell", &sources));
        let secret = canary("key", way);
        for arguments in [
            &["connector", "check", "crm"][..],
            &["--json", "connector", "check", "crm"],
        ] {
            let ran = hub.run(arguments).ends_with(0);
            assert!(!echo::holds(&ran.stdout, &secret), "{ran:?}");
        }
    }
}

/// A folder in which the adversary is recorded.
fn recorded(echo: &Echo, way: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(guests_folder().join("adversary.wasm"), at("adversary.wasm")).unwrap();
    let settings = format!(
        "[vendor]\ncommand = [\"sh\", \"-c\", \"echo http://127.0.0.1:{}; exec sleep 60\"]\n[connection]\n\
         config = {{ url = \"{{vendor}}/{way}/key\", auth = \"key\" }}\ncredential.token = 'none-at-all'\ncredential.key = '{}'\n",
        echo.port,
        canary("key", way)
    );
    std::fs::write(at("conformance.toml"), settings).unwrap();
    folder
}

#[test]
fn x5_a_cassette_holds_no_secret_in_a_body_that_is_not_utf_8() {
    let _peak = Peak::of("x5");
    let echo = Echo::start();
    for way in ["latin", "body", "base64"] {
        let folder = recorded(&echo, way);
        let file = folder.path().join("adversary.wasm").display().to_string();
        let cassette = folder.path().join("cassettes/one.json");
        let hub = hub(&manifest(&echo, "tell", &[]));
        let arguments = ["--stream", "tell", "--batches", "1", "--records"];
        let mut all = vec![
            "connector",
            "record",
            &file,
            "--cassette",
            cassette.to_str().unwrap(),
        ];
        all.extend(arguments);
        let ran = hub.run(&all).ends_with(0);
        let text = std::fs::read_to_string(&cassette).unwrap();
        let secret = canary("key", way);
        assert!(!echo::holds(&text, &secret), "{way}: {text}");
        assert!(!echo::holds(&ran.stdout, &secret), "{way}: {ran:?}");
    }
}

/// The rows of an outcome as the library's caller sees them.
#[test]
fn x5_a_rows_failure_is_cleaned_before_it_is_cut() {
    let _peak = Peak::of("x5");
    let echo = Echo::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.config = serde_json::json!({ "url": echo.url("late", "token") });
    source.grants.addresses = vec![format!("127.0.0.1:{}", echo.port)];
    let (name, value) = (
        "token".to_owned(),
        SecretRef::File(echo.keep("late", "token")),
    );
    source.credentials.insert(name, value);
    let outcome = world.open(&source).write(&WriteRequest {
        target: "people".to_owned(),
        mode: WriteMode::Upsert,
        rows: Chunk {
            count: 1,
            data: b"{}\n".to_vec(),
        },
        idempotency_key: "k".to_owned(),
        verify: false,
    });
    let failure = outcome.unwrap().failures.remove(0);
    let start = &canary("token", "late")[..12];
    assert!(!failure.message.contains(start), "{}", failure.message);
    assert!(!failure.code.contains(start), "{}", failure.code);
}

/// What a terminal would obey, or what hides: nothing of it may be in a text for people.
fn deceives(text: &str) -> Option<char> {
    text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
fn x6_what_others_wrote_forges_no_line_in_any_command() {
    let _peak = Peak::of("x6");
    let echo = Echo::start();
    let mut text = manifest(&echo, "forge", &[("crm".to_owned(), "token", "body")]);
    text += "[[destination]]\nname = \"out\"\nconsent = []\nperson = { match = \"email\", map = { name = \"first_name\" } }\n";
    text += &connection(&echo, "token", "body").replace("/body/token", "/forge");
    let hub = hub(&text);
    let mut command = hub.command(&["run"]);
    command.env("ONEFOLD_LOG", "info");
    let ran = hub
        .runtime
        .block_on(async { command.output().await })
        .unwrap();
    let mut said = vec![
        (
            "run".to_owned(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
        ),
        (
            "log".to_owned(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        ),
    ];
    let commands: [&[&str]; 9] = [
        &["dead-letters", "list"],
        &["dead-letters", "list", "--all"],
        &["dead-letters", "show", "1"],
        &["dead-letters", "show", "2"],
        &["profile", "show", "email:ada@example.com", "--why"],
        &["profile", "history", "email:ada@example.com"],
        &["profile", "search", "bad"],
        &["status"],
        &["identity", "review"],
    ];
    for command in commands {
        let ran = hub.run(command);
        said.push((command.join(" "), ran.stdout + &ran.stderr));
    }
    for (what, text) in &said {
        assert_eq!(deceives(text), None, "{what}: {text:?}");
        let forged = text
            .lines()
            .find(|line| line.trim_start().starts_with("FORGED"));
        assert_eq!(forged, None, "{what}: {text}");
    }
    let shown: String = said.iter().map(|(_, text)| &**text).collect();
    assert!(
        shown.contains("FORGED all is well"),
        "it is shown, spelled out: {shown}"
    );
    let json = hub.run(&["--json", "dead-letters", "list"]);
    assert_eq!(deceives(&json.stdout), None, "{json:?}");
    let keys = json.json().to_string();
    assert!(
        keys.contains('\u{202e}'),
        "JSON has the value itself: {keys}"
    );
}

/// What others of the machine may do with files and folders, by name; empty when nothing.
fn open_to_others(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let mut open = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The hub works, and may have taken it away since.
        let Ok(found) = path.metadata() else {
            continue;
        };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            open.push(format!("{} {mode:o}", path.display()));
        }
        if path.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

/// The program with no mask at all, in which every file is open that is not made with care.
fn unmasked(hub: &Hub, cache: &Path, arguments: &[&str]) -> tokio::process::Command {
    let command = hub.command(arguments);
    let command = command.as_std();
    let mut shell = tokio::process::Command::new("/bin/sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("ONEFOLD_CACHE", cache)
        .kill_on_drop(true);
    shell
}

fn run_unmasked(hub: &Hub, cache: &Path, arguments: &[&str]) {
    let mut command = unmasked(hub, cache, arguments);
    let done = hub
        .runtime
        .block_on(async { command.output().await })
        .unwrap();
    assert!(
        done.status.code().is_some_and(|code| code < 2),
        "{arguments:?}: {done:?}"
    );
}

#[test]
fn x7_whatever_the_hub_writes_is_for_its_user_alone() {
    let _peak = Peak::of("x7");
    let echo = Echo::start();
    let mut text = manifest(&echo, "tell", &[("good".to_owned(), "token", "body")]);
    text += "[[source]]\nname = \"bad\"\nstreams = [\"tell-in-error\"]\n";
    text += &connection(&echo, "token", "latin");
    let hub = hub(&text);
    let outside = tempfile::tempdir().unwrap();
    let (cache, plain) = (
        outside.path().join("deep/cache"),
        outside.path().join("plain.wasm"),
    );
    std::fs::rename(hub.path().join("connectors/adversary.wasm"), &plain).unwrap();
    std::fs::remove_dir(hub.path().join("connectors")).unwrap();
    run_unmasked(
        &hub,
        &cache,
        &["connector", "add", plain.to_str().unwrap(), "--yes"],
    );
    run_unmasked(&hub, &cache, &["run", "--capture"]);
    std::fs::remove_file(&plain).unwrap();
    let folder = recorded(&echo, "latin");
    let file = folder.path().join("adversary.wasm").display().to_string();
    let cassette = outside.path().join("cassettes/one.json");
    let cassette = cassette.to_str().unwrap();
    let record = [
        "connector",
        "record",
        &file,
        "--cassette",
        cassette,
        "--stream",
        "tell",
        "--batches",
        "1",
    ];
    run_unmasked(&hub, &cache, &record);
    let bundle = outside.path().join("all.bundle");
    run_unmasked(
        &hub,
        &cache,
        &["connector", "bundle", bundle.to_str().unwrap()],
    );
    let made = hub.path().join("made");
    run_unmasked(&hub, &cache, &["init", made.to_str().unwrap()]);
    // What is there only while somebody works.
    let mut command = unmasked(&hub, &cache, &["serve"]);
    let mut serving = hub.runtime.block_on(async { command.spawn() }).unwrap();
    let began = Instant::now();
    while !hub.path().join("told.db-wal").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    std::fs::remove_file(hub.path().join("hub.toml")).unwrap();
    let mut open = open_to_others(hub.path());
    hub.runtime
        .block_on(async { serving.kill().await })
        .unwrap();
    open.extend(open_to_others(outside.path()));
    assert_eq!(open, Vec::<String>::new());
    let names: Vec<_> = files(outside.path())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        names.iter().any(|name| name.ends_with(".cwasm")),
        "{names:?}"
    );
}

#[test]
fn x7_a_store_that_was_open_to_others_is_closed() {
    let _peak = Peak::of("x7");
    use std::os::unix::fs::PermissionsExt;
    let echo = Echo::start();
    let hub = hub(&manifest(
        &echo,
        "tell",
        &[("crm".to_owned(), "token", "body")],
    ));
    hub.run(&["run"]).ends_with(0);
    let store = hub.path().join("told.db");
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o666)).unwrap();
    hub.run(&["run"]).ends_with(0);
    assert_eq!(
        store.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn x7_a_folder_that_others_can_write_is_refused_with_the_reason() {
    let _peak = Peak::of("x7");
    use std::os::unix::fs::PermissionsExt;
    let echo = Echo::start();
    let hub = hub(&manifest(
        &echo,
        "tell",
        &[("crm".to_owned(), "token", "body")],
    ));
    let set = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in [hub.path().to_owned(), hub.path().join("connectors")] {
        set(&folder, 0o777);
        for command in [
            &["check"][..],
            &["run"],
            &["status"],
            &["connector", "check", "crm"],
        ] {
            let ran = hub.run(command).ends_with(2);
            let named = folder.display().to_string();
            assert!(
                ran.stderr.contains(&named)
                    && ran.stderr.contains("chmod")
                    && ran.stderr.contains("OF0005"),
                "{command:?}: {ran:?}"
            );
        }
        set(&folder, 0o755);
    }
    hub.run(&["run"]).ends_with(0);
    // A cache that others can write is not used, and the run goes on.
    let outside = tempfile::tempdir().unwrap();
    let cache = outside.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    set(&cache, 0o777);
    let mut command = hub.command(&["run"]);
    command.env("ONEFOLD_CACHE", &cache);
    let ran = hub
        .runtime
        .block_on(async { command.output().await })
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("cache") && said.contains("others"), "{said}");
    assert_eq!(files(&cache).len(), 0);
}

#[test]
fn x9_a_credential_goes_to_the_hosts_that_it_is_for_and_to_no_other() {
    let _peak = Peak::of("x9");
    let (vendor, other) = (Echo::start(), Echo::start());
    let world = World::new();
    let mut source = world.source("adversary");
    let token = SecretRef::File(vendor.keep("body", "token"));
    source.credentials.insert("token".to_owned(), token);
    let places = [&vendor, &other].map(|one| format!("127.0.0.1:{}", one.port));
    source.grants.addresses = places.to_vec();
    source
        .grants
        .credential_hosts
        .insert("token".to_owned(), vec![places[0].clone()]);
    let mut connector = world.open(&source);
    let urls = format!(
        "{} {}",
        vendor.url("body", "token"),
        other.url("none", "token")
    );
    let failure = read(&mut *connector, "send-on", &urls).expect_err("it is not sent there");
    let text = failure.to_string();
    let line = format!("hosts = [\"{}\"", places[1]);
    assert!(text.contains("`token`") && text.contains(&line), "{text}");
    let heads = other.heads();
    assert_eq!(
        heads.len(),
        1,
        "only the request without a credential: {heads:?}"
    );
    assert!(
        vendor.heads()[0].contains("Bearer "),
        "{:?}",
        vendor.heads()
    );
    for head in heads {
        assert!(!echo::holds(&head, &canary("token", "body")), "{head}");
    }
}

#[test]
fn x9_a_host_that_only_a_grant_added_gets_no_credential() {
    let _peak = Peak::of("x9");
    let echo = Echo::start();
    let world = World::new();
    let mut source = world.source("adversary");
    // Two places: where the vendor is does not follow from the grant.
    source.grants.addresses = vec![format!("127.0.0.1:{}", echo.port), "127.0.0.1:9".to_owned()];
    source.grants.hosts = vec![format!("localhost:{}", echo.port)];
    let mut connector = world.open(&source);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{}/body/token", echo.port);
        let failure = read(&mut *connector, "fetch-with-credential", &url).expect_err("denied");
        assert!(failure.to_string().contains("OF0406"), "{failure}");
        assert!(read(&mut *connector, "fetch", &url).is_ok(), "{url}");
    }
    for head in echo.heads() {
        assert!(!head.contains("Bearer"), "{head}");
    }
    // One address alone is the operator's word for where the vendor is.
    source.grants.addresses.pop();
    let mut connector = world.open(&source);
    let url = format!("http://127.0.0.1:{}/body/token", echo.port);
    assert!(read(&mut *connector, "fetch-with-credential", &url).is_ok());
    let url = format!("http://localhost:{}/body/token", echo.port);
    assert!(read(&mut *connector, "fetch-with-credential", &url).is_err());
}

#[test]
fn x9_the_guest_does_not_see_its_credential_in_an_answer() {
    let _peak = Peak::of("x9");
    let echo = Echo::start();
    let world = World::new();
    for way in [
        "body", "header", "error", "gzip", "latin", "base64", "percent",
    ] {
        let mut source = world.source("adversary");
        source.grants.addresses = vec![format!("127.0.0.1:{}", echo.port)];
        let token = SecretRef::File(echo.keep(way, "token"));
        source.credentials.insert("token".to_owned(), token);
        let mut connector = world.open(&source);
        let seen = echo::seen_by(&mut *connector, &echo.url(way, "token"));
        let text = String::from_utf8_lossy(&seen);
        assert!(!echo::holds(&text, &canary("token", way)), "{way}");
        assert!(text.contains("[secret token]"), "{way}: {text}");
    }
}

#[test]
fn x12_a_secrets_file_is_a_regular_file_of_at_most_64_kb() {
    let _peak = Peak::of("x12");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let made = std::process::Command::new("mkfifo")
        .arg(at("fifo"))
        .status();
    assert!(made.unwrap().success());
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("large"), vec![b'x'; (64 << 10) + 1]).unwrap();
    std::fs::write(at("largest"), vec![b'x'; 64 << 10]).unwrap();
    std::fs::write(at("latin"), b"caf\xe9").unwrap();
    let cases = [
        (at("fifo"), "is not a regular file"),
        ("/dev/zero".to_owned(), "is not a regular file"),
        (at("folder"), "is not a regular file"),
        (at("large"), "is larger than 64 KiB"),
        (at("latin"), "is not UTF-8"),
        (at("gone"), "entity not found"),
    ];
    for (path, why) in cases {
        let (asked, answered) = std::sync::mpsc::sync_channel(1);
        let wanted = path.clone();
        std::thread::spawn(move || {
            let world = World::new();
            let mut source = world.source("adversary");
            let token = SecretRef::File(wanted);
            source.credentials.insert("token".to_owned(), token);
            let opened = world.connectors.open_source(&source);
            let problems = opened.err().unwrap_or_default();
            let _ = asked.send(problems.first().map(ToString::to_string));
        });
        let began = Instant::now();
        let answer = answered.recv_timeout(Duration::from_secs(20));
        let text = answer
            .unwrap_or_else(|_| panic!("`{path}` hangs"))
            .unwrap_or_default();
        assert!(text.contains(why) && text.contains(&path), "{path}: {text}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    let world = World::new();
    let mut source = world.source("adversary");
    let token = SecretRef::File(at("largest"));
    source.credentials.insert("token".to_owned(), token);
    assert!(world.connectors.open_source(&source).is_ok());
}
