//! Show 3: what the README and `hub/docs` say to type, typed: every command block and every manifest, in their order, in
//! one folder, up to the audience at the vendor.

use crate::compiled::toolchains;
use crate::hub::{beside_program, in_repository};
use crate::languages::{TOKEN, typed};
use crate::small::JANUARY_MS;
use onefold::kit::practice::{Practice, Settings};
use onefold_tests::demo::World;
use onefold_tests::registry::{Gate, Registry};
use onefold_tests::vendors::hubspot::HubSpot;
use onefold_tests::vendors::mailchimp::{self, Mailchimp};
use onefold_tests::vendors::stripe::{Paid, Stripe};
use onefold_tests::vendors::{Running, start};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(120);

/// Lines that are not typed, by how they begin, and why.
const NOT_TYPED: [(&str, &str); 1] = [(
    "cargo xtask ",
    "builds the repository and runs its tests, this one among them",
)];

/// Commands that go on until they are stopped.
const SERVING: [&str; 3] = ["--hub acme serve", "connector dev", "connector vendor"];

/// Commands that end with another code than 0, and why.
const CODES: [(&str, i32, &str); 1] = [(
    "--hub acme dead-letters retry",
    1,
    "the record is as it was, and does not fit",
)];

/// A fenced block of a document, or a step of a numbered list that begins with a command.
struct Block {
    place: String,
    kind: String,
    text: String,
}

fn blocks(document: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (at, line) in text.lines().enumerate() {
        let mut begin = |kind: &str, text: String| {
            let place = format!("{document}:{}", at + 1);
            let kind = kind.to_owned();
            blocks.push(Block { place, kind, text });
        };
        if let Some(kind) = line.strip_prefix("```") {
            if !is_open {
                begin(kind, String::new());
            }
            is_open = !is_open;
        } else if is_open {
            let text = &mut blocks.last_mut().unwrap().text;
            text.push_str(line);
            text.push('\n');
        } else if let Some(command) = step(line) {
            begin("console", format!("$ {command}\n"));
        }
    }
    blocks
}

/// The command of `1. `onefold …`, and what it is for`.
fn step(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". `")?;
    let is_step = number.parse::<u32>().is_ok() && rest.starts_with("onefold ");
    let (command, _) = rest.split_once('`').filter(|_| is_step)?;
    Some(command)
}

/// The documents that a reader follows, then the pages of the reference, which may have commands, too.
fn documents() -> Vec<String> {
    let pages = std::fs::read_dir(in_repository("hub/docs/reference")).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = pages
        .map(|page| format!("hub/docs/reference/{page}"))
        .collect();
    let first = ["README.md", "hub/docs/operate.md"].map(str::to_owned);
    first.into_iter().chain(pages).collect()
}

/// A folder with the hubs, and the made-up vendors.
struct Reader {
    folder: TempDir,
    hubspot: Running<HubSpot>,
    stripe: Running<Stripe>,
    mailchimp: Running<Mailchimp>,
    registry: Running<Registry>,
    practice: Practice,
    runtime: Runtime,
    typed: usize,
    left_out: usize,
    /// Entries of the tables above that a line needed.
    used: BTreeSet<&'static str>,
    /// What went wrong, all of it.
    wrong: Vec<String>,
}

impl Reader {
    fn new() -> Reader {
        let runtime = Runtime::new().unwrap();
        let reader = Reader {
            folder: tempfile::tempdir().unwrap(),
            hubspot: start(contacts(), ([127, 0, 0, 1], 0).into()).unwrap(),
            stripe: start(customers(), ([127, 0, 0, 1], 0).into()).unwrap(),
            mailchimp: start(Mailchimp::default(), ([127, 0, 0, 1], 0).into()).unwrap(),
            registry: Registry::serve(Gate::Open).unwrap(),
            practice: Practice::start(runtime.handle(), Settings::default(), 0).unwrap(),
            runtime,
            typed: 0,
            left_out: 0,
            used: BTreeSet::new(),
            wrong: Vec::new(),
        };
        reader.write("mailchimp", mailchimp::KEY);
        let component = beside_program("guests/helpdesk-rust.wasm");
        std::fs::copy(component, reader.path("helpdesk.wasm")).unwrap();
        reader.prepare("mkdir keys && onefold connector key new keys/acme.pem > keys/public.txt");
        reader.prepare("onefold connector sign helpdesk.wasm --key file:keys/acme.pem");
        reader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn manifest(&self) -> String {
        std::fs::read_to_string(self.path("acme/hub.toml")).unwrap()
    }

    /// Who holds the audience's tag at Mailchimp.
    fn tagged(&self) -> Vec<String> {
        let tagged = |mailchimp: &mut Mailchimp| mailchimp.segment_members("lapsed_vip");
        self.mailchimp.with(tagged).into_iter().collect()
    }

    /// A line as a shell reads it, comments and redirections included.
    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("PATH=\"$0:$PATH\"; {line}")])
            .arg(beside_program(""))
            .current_dir(self.folder.path())
            .envs(World::secrets())
            .env("HELPDESK_TOKEN", TOKEN)
            .env("REGISTRY_PASSWORD", "registry-password")
            .env("ONEFOLD_CACHE", beside_program("test-cache"))
            .env("ONEFOLD_TOOLCHAINS", toolchains())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        shell
    }

    /// Types a line; its code and everything that it printed.
    fn ran(&self, line: &str) -> (i32, String) {
        let mut shell = self.shell(line);
        let done = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, shell.output()).await });
        let done = done.unwrap_or_else(|_| panic!("`{line}` did not end"));
        let done = done.unwrap();
        let text = [done.stdout, done.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (done.status.code().unwrap_or(-1), text)
    }

    /// What a test has to do before, which no document can say.
    #[track_caller]
    fn prepare(&self, line: &str) {
        let (code, text) = self.ran(line);
        assert_eq!(code, 0, "{line}: {text}");
    }

    /// The first line of a command that serves; it is stopped then.
    fn started(&self, line: &str) -> String {
        let mut shell = self.shell(&format!("exec 2>&1; exec {line}"));
        shell.stdout(Stdio::piped());
        self.runtime.block_on(async {
            let mut serving = shell.spawn().unwrap();
            let mut first = String::new();
            let mut lines = BufReader::new(serving.stdout.take().unwrap());
            let read = tokio::time::timeout(PATIENCE, lines.read_line(&mut first)).await;
            read.unwrap_or_else(|_| panic!("`{line}` said nothing"))
                .unwrap();
            serving.kill().await.unwrap();
            first
        })
    }

    fn follow(&mut self, block: &Block) {
        if block.kind == "toml" {
            return self.add(block);
        }
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let line = line.strip_prefix("$ ").expect(&block.place);
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line);
            }
            self.type_in(&block.place, line, &shown);
        }
    }

    /// Types one line, and sees that it ends as it should and says what is shown of it.
    fn type_in(&mut self, place: &str, line: &str, shown: &[&str]) {
        if let Some((begin, _)) = NOT_TYPED.iter().find(|(begin, _)| line.starts_with(begin)) {
            self.used.insert(begin);
            self.left_out += 1;
            return;
        }
        self.get_ready(line);
        let command = line.strip_prefix("onefold ").unwrap_or(line);
        let registry = self.registry.address.to_string();
        let ours = line.replace("registry.example.com", &registry);
        let is = |begin: &str| command.starts_with(begin);
        let serving = SERVING.iter().find(|begin| is(begin));
        let other = CODES.iter().find(|(begin, ..)| is(begin));
        self.used.extend(serving);
        self.used.extend(other.map(|(begin, ..)| begin));
        let (code, text) = match serving {
            Some(_) => (0, self.started(&ours)),
            None => self.ran(&ours),
        };
        let expected = other.map_or(0, |(_, code, _)| *code);
        let is_silent = serving.is_some() && text.trim().is_empty();
        let missing = shown.iter().map(|line| label(line));
        let missing: Vec<&str> = missing.filter(|label| !text.contains(label)).collect();
        if code != expected || is_silent || text.contains("error[") || !missing.is_empty() {
            let what = format!("{place}: {line}\nexit code {code}, missing {missing:?}\n{text}");
            self.wrong.push(what);
        }
        self.typed += 1;
    }

    /// What has to be there before, which is not the line's business.
    fn get_ready(&self, line: &str) {
        let line = line.strip_prefix("onefold ").unwrap_or(line);
        let target = format!("oci://{}/acme/helpdesk:1.2.0", self.registry.address);
        if line.starts_with("--hub acme source remove old_crm") {
            let manifest = self.manifest();
            let place = self.hubspot.address;
            self.write(
                "acme/hub.toml",
                &format!(
                    "{manifest}\n[[source]]\nname = \"old_crm\"\nconnector = \"hubspot\"\nstreams = [\"contacts\"]\n\
                     credential.token = \"env:HUBSPOT_TOKEN\"\nconfig.base_url = \"http://{place}\"\n\
                     grant.addresses = [\"{place}\"]\n"
                ),
            );
            self.prepare("onefold --hub acme run");
            self.write("acme/hub.toml", &manifest);
        } else if line.contains("--file draft.toml") {
            let draft = self.manifest();
            let from = draft.find("[[audience]]\nname = \"lapsed_vip\"").unwrap();
            let to = draft.find("[[destination]]").unwrap();
            let draft = draft[from..to].replace("30d", "60d");
            self.write("draft.toml", &draft);
        } else if line.starts_with("--hub acme connector add") {
            self.prepare(&format!("onefold connector publish helpdesk.wasm {target}"));
        } else if line.starts_with("--hub island") {
            self.prepare("onefold --hub island init");
        }
    }

    /// Puts a manifest of a document where it can be: the first one is the hub's, a stream is its source's, all else
    /// comes after what is there.
    fn add(&mut self, block: &Block) {
        let text = &block.text;
        let add = |reader: &Reader, text: &str| {
            let before = reader.manifest();
            reader.write("acme/hub.toml", &format!("{before}\n{text}"));
        };
        if let Some(first) = text.strip_prefix("# acme/hub.toml\n") {
            self.write("acme/hub.toml", &self.with_addresses(first));
        } else if text.starts_with("[vendor]") {
            self.prepare("onefold connector new helpdesk --lang c");
            self.prepare("mkdir -p helpdesk/build && cp helpdesk.wasm helpdesk/build/");
            return self.write("helpdesk/conformance.toml", text);
        } else if text.contains("name = \"support\"") {
            self.prepare("cp helpdesk.wasm helpdesk.wasm.sig acme/connectors/");
            let place = self.practice.address.to_string();
            assert!(text.contains("127.0.0.1:4010"), "{text}");
            add(self, &text.replace("127.0.0.1:4010", &place));
        } else if text.starts_with("[connectors]") {
            add(self, &self.with_our_key(text));
        } else {
            for table in text.split_inclusive("\n\n") {
                match table.starts_with("[[source.stream]]") {
                    true => self.put_stream(&format!("{}\n\n", table.trim_end())),
                    false => add(self, table),
                }
            }
        }
        let (code, said) = self.ran("onefold --hub acme check");
        if code != 0 || said.contains("error[") {
            let what = format!("{}: exit code {code}\n{said}", block.place);
            self.wrong.push(what);
        }
    }

    /// Signs the bundled connectors, whose signatures a hub may require, and trusts our key.
    fn with_our_key(&self, text: &str) -> String {
        self.prepare("mkdir -p acme/connectors");
        let bundled = beside_program("connectors");
        for name in ["hubspot", "stripe", "mailchimp"] {
            let file = format!("acme/connectors/{name}.wasm");
            std::fs::copy(bundled.join(format!("{name}.wasm")), self.path(&file)).unwrap();
            self.prepare(&format!(
                "onefold connector sign {file} --key file:keys/acme.pem"
            ));
        }
        let said = std::fs::read_to_string(self.path("keys/public.txt")).unwrap();
        let key = |text: &str| {
            let from = text.find("[\"").unwrap();
            let to = text[from..].find("\"]").unwrap();
            text[from..from + to].to_owned()
        };
        text.replace(&key(text), &key(&said))
    }

    /// Adds a stream to the source that has it, in the place of one with the same name.
    fn put_stream(&self, stream: &str) {
        let name = stream.lines().nth(1).unwrap();
        let source = match name.contains("charges") || name.contains("customers") {
            true => "name = \"payments\"",
            false => "name = \"crm\"",
        };
        let manifest = self.manifest();
        let mut edited = String::new();
        for table in manifest.split_inclusive("\n\n") {
            let named = |kind: &str, name: &str| {
                table.starts_with(kind) && table.lines().nth(1) == Some(name)
            };
            if !named("[[source.stream]]", name) {
                edited.push_str(table);
            }
            if named("[[source]]", source) {
                edited.push_str(stream);
            }
        }
        assert_eq!(edited.matches(stream).count(), 1, "{edited}");
        self.write("acme/hub.toml", &edited);
    }

    /// The first manifest with the made-up vendors' addresses and where the secret is here.
    fn with_addresses(&self, text: &str) -> String {
        let mut text = text.replace(
            "/run/secrets/mailchimp",
            self.path("mailchimp").to_str().unwrap(),
        );
        for (name, address) in [
            ("hubspot", self.hubspot.address),
            ("stripe", self.stripe.address),
        ] {
            let line = format!("connector = \"{name}\"\n");
            let more = format!(
                "{line}config.base_url = \"http://{address}\"\ngrant.addresses = [\"{address}\"]\n"
            );
            assert_eq!(text.matches(&line).count(), 1, "{line}");
            text = text.replace(&line, &more);
        }
        let address = self.mailchimp.address;
        let more = format!(
            "grant.addresses = [\"{address}\"]\nconfig = {{ base_url = \"http://{address}\", "
        );
        assert_eq!(text.matches("config = { ").count(), 1);
        text.replace("config = { ", &more)
    }
}

/// Of a line that a document shows: numbers, digests and dates differ.
fn label(line: &str) -> &str {
    let line = line.trim_start();
    let end = if line.starts_with("signed by") {
        "\n"
    } else {
        " "
    };
    line.split(end).next().unwrap()
}

fn contacts() -> HubSpot {
    let mut hubspot = HubSpot::default();
    for name in ["newsletter", "agreed_at", "birthday"] {
        hubspot.contacts.define(name);
    }
    let mut seed = |id: u64, values: &[(&str, &str)]| {
        hubspot.contacts.seed(id, JANUARY_MS, JANUARY_MS, values);
    };
    seed(
        1,
        &[
            ("email", "ada@mail.example"),
            ("phone", "+48 600 123 456"),
            ("firstname", "Ada"),
            ("lastname", "Lovelace"),
            ("country", "PL"),
            ("newsletter", "true"),
            ("agreed_at", "2025-01-10T09:00:00Z"),
        ],
    );
    seed(
        2,
        &[
            ("email", "jan@example.com"),
            ("firstname", "Jan"),
            ("country", "PL"),
            ("newsletter", "false"),
        ],
    );
    for id in 3..23 {
        let email = format!("eva{id}@example.com");
        seed(id, &[("email", &email), ("birthday", "12.05")]);
    }
    let company = [("name", "Acme Inc"), ("numberofemployees", "12")];
    hubspot
        .companies
        .seed(701, JANUARY_MS, JANUARY_MS, &company);
    hubspot.associate(("contacts", 1), ("companies", 701), JANUARY_MS);
    hubspot
}

fn customers() -> Stripe {
    let mut stripe = Stripe::default();
    let at_s = JANUARY_MS / 1_000;
    for (id, email) in [
        ("cus_ada", "ada@mail.example"),
        ("cus_jan", "jan@example.com"),
        ("9", "ada.senior@mail.example"),
        ("71", "eva71@mail.example"),
    ] {
        stripe.seed_customer(id, at_s, &json!({ "email": email }));
        for day in 1..=3 {
            let charge = format!("ch_{id}_{day}");
            let at_s = at_s + day * 86_400;
            stripe.seed_charge(&charge, id, 1_999, "pln", at_s, Paid::Succeeded);
        }
    }
    stripe
}

#[test]
fn shows_3_every_command_of_the_readme_and_the_documents_works_as_it_is_written() {
    let mut reader = Reader::new();
    let mut lines = 0;
    for document in documents() {
        let text = std::fs::read_to_string(in_repository(&document)).unwrap();
        let is_typed = |line: &&str| line.starts_with("$ ") || step(line).is_some();
        lines += text.lines().filter(is_typed).count();
        let is_reference = document.starts_with("hub/docs/reference/");
        for block in blocks(&document, &text) {
            // Examples of single keys, which tests of the reference read.
            match block.kind.as_str() {
                "console" => reader.follow(&block),
                "toml" if !is_reference => reader.follow(&block),
                _ => {}
            }
        }
        if document == "README.md" {
            assert_eq!(reader.tagged(), ["ada@mail.example"]);
        }
    }
    let wrong = reader.wrong.join("\n\n");
    assert!(wrong.is_empty(), "{wrong}");
    // As it is in the end, but for the practice desk, whose made-up addresses Mailchimp would refuse.
    let manifest = reader.manifest();
    let (manifest, _) = manifest
        .split_once("[[source]]\nname = \"support\"")
        .unwrap();
    reader.write("acme/hub.toml", manifest);
    reader.prepare("onefold --hub acme run");
    assert_eq!(reader.tagged(), ["ada@mail.example"]);
    assert_eq!(reader.typed + reader.left_out, lines);
    assert!(lines > 55, "{lines}");
    let tables = NOT_TYPED.iter().map(|(begin, _)| *begin);
    let tables = tables.chain(CODES.iter().map(|(begin, ..)| *begin));
    let tables: BTreeSet<&str> = tables.chain(SERVING).collect();
    assert_eq!(reader.used, tables, "an entry that no line needs");
}

#[test]
fn shows_3_a_new_hub_passes_check() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["init"][..], &["check"]] {
        let (code, text) = typed(folder.path(), arguments);
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains("error["), "{text}");
    }
    assert!(folder.path().join("hub.toml").is_file());
}
