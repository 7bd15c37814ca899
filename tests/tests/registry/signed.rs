//! Signatures: whose counts, and each way in which one does not.

use super::world::{Author, MANIFEST, clean_hub, files, golden, reference, rewritten};
use crate::hub::Hub;
use onefold_tests::registry::{Gate, Registry};

/// Makes a key pair in the author's folder: where the private one is, and the public one.
fn key(author: &Author, name: &str) -> (String, String) {
    let file = author.hub.path().join(format!("{name}.pem"));
    let made = author
        .hub
        .run(&["connector", "key", "new", &file.display().to_string()]);
    let made = made.ends_with(0);
    let private = std::fs::read_to_string(&file).unwrap();
    let secret = private.lines().nth(1).unwrap();
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret));
    let line = made
        .stdout
        .lines()
        .find(|line| line.contains("trusted_keys"))
        .unwrap();
    let public = line.split('"').nth(1).unwrap().to_owned();
    (format!("file:{}", file.display()), public)
}

fn hub(trusted: &[&str], required: bool) -> Hub {
    let hub = clean_hub(MANIFEST);
    let keys: Vec<String> = trusted.iter().map(|key| format!("\"{key}\"")).collect();
    let keys = keys.join(", ");
    hub.write(
        "trust.toml",
        &format!("[connectors]\ntrusted_keys = [{keys}]\nrequire_signature = {required}\n"),
    );
    hub
}

/// A component in the author's folder, signed.
fn signed(author: &Author, name: &str, component: &[u8], key: &str) -> String {
    let file = author.write(name, component);
    author
        .hub
        .run(&["connector", "sign", &file, "--key", key])
        .ends_with(0);
    file
}

#[test]
fn a_private_key_is_for_its_owner_alone_and_is_made_once() {
    let author = Author::new();
    let (place, public) = key(&author, "acme");
    let file = author.hub.path().join("acme.pem");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let again = author
        .hub
        .run(&["connector", "key", "new", &file.display().to_string()]);
    let again = again.ends_with(2);
    assert!(again.stderr.contains("error[OF0352]: "), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let shown = author
        .hub
        .json(&["connector", "key", "show", "--key", &place]);
    assert_eq!(
        public,
        format!("acme:{}", shown["public_key"].as_str().unwrap())
    );
    let wrong = author.write("wrong.pem", b"not a key");
    let file = author.write("golden.wasm", &golden());
    let refused = author.hub.run(&[
        "connector",
        "sign",
        &file,
        "--key",
        &format!("file:{wrong}"),
    ]);
    let refused = refused.ends_with(2);
    assert!(refused.stderr.contains("error[OF0352]: "), "{refused:?}");
    let refused = author
        .hub
        .run(&["connector", "sign", &file, "--key", &text])
        .ends_with(2);
    assert!(
        !refused.stderr.contains(text.lines().nth(1).unwrap()),
        "{refused:?}"
    );
}

#[test]
fn a_signed_connector_comes_with_its_signature_and_its_signer_is_locked() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let author = Author::new();
    let (place, public) = key(&author, "acme");
    signed(&author, "connector.wasm", &golden(), &place);
    let target = reference(&registry, "1.0.0");
    let published = author.publish(&golden(), &target).ends_with(0);
    assert!(published.stdout.contains(", signed\n"), "{published:?}");
    let hub = hub(&[&public], true);
    let added = hub.run(&["connector", "add", &target]).ends_with(0);
    assert!(added.stdout.contains("signed by      acme\n"), "{added:?}");
    let put = ["golden.wasm", "golden.wasm.locked", "golden.wasm.sig"];
    assert_eq!(files(&hub), put);
    hub.run(&["run"]).ends_with(0);
    let listed = hub.run(&["connector", "list"]);
    assert!(listed.stdout.contains(", signed by acme"), "{listed:?}");
    // Whose key is no longer trusted is no longer loaded.
    let (_, other) = key(&author, "other");
    hub.write(
        "trust.toml",
        &format!("[connectors]\ntrusted_keys = [\"{other}\"]\nrequire_signature = true\n"),
    );
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0350]: "), "{refused:?}");
}

#[test]
fn unsigned_wrongly_signed_and_tampered_are_three_problems_when_added() {
    let author = Author::new();
    let (ours, public) = key(&author, "acme");
    let (theirs, _) = key(&author, "stranger");
    let unsigned = author.write("unsigned.wasm", &golden());
    let stranger = signed(&author, "stranger.wasm", &golden(), &theirs);
    let tampered = signed(&author, "tampered.wasm", &golden(), &ours);
    author.write("tampered.wasm", &rewritten(&golden(), "Golden", "Gilded"));
    let damaged = signed(&author, "damaged.wasm", &golden(), &ours);
    author.write("damaged.wasm.sig", b"{\"version\": 1}");
    let cases = [
        (&unsigned, "OF0349", 0),
        (&stranger, "OF0350", 0),
        // A signature that is none is refused by every hub.
        (&tampered, "OF0351", 2),
        (&damaged, "OF0351", 2),
    ];
    for (file, code, when_not_required) in cases {
        let strict = hub(&[&public], true);
        let refused = strict.run(&["connector", "add", file]).ends_with(2);
        assert!(
            refused.stderr.contains(&format!("error[{code}]: ")),
            "{refused:?}"
        );
        assert_eq!(refused.stderr.matches("error[").count(), 1, "{refused:?}");
        assert_eq!(files(&strict), [""; 0]);
        let page = strict.run(&["help", code]).ends_with(0);
        assert!(page.stdout.starts_with(&format!("# {code}: ")), "{page:?}");
        let lax = hub(&[&public], false);
        lax.run(&["connector", "add", file])
            .ends_with(when_not_required);
    }
    let publish = [
        "connector",
        "publish",
        &tampered,
        "oci://localhost:1/acme/golden:1",
    ];
    let refused = author.hub.run(&publish).ends_with(2);
    assert!(refused.stderr.contains("error[OF0351]: "), "{refused:?}");
}

#[test]
fn where_signatures_are_required_every_load_looks_at_them() {
    let author = Author::new();
    let (ours, public) = key(&author, "acme");
    let (theirs, _) = key(&author, "stranger");
    let hub = hub(&[&public], true);
    let file = signed(&author, "golden.wasm", &golden(), &ours);
    hub.run(&["connector", "add", &file]).ends_with(0);
    let kept = hub.path().join("connectors/golden.wasm");
    let beside = hub.path().join("connectors/golden.wasm.sig");
    let good = std::fs::read(&beside).unwrap();
    let other = std::fs::read(format!(
        "{}.sig",
        signed(&author, "other.wasm", &golden(), &theirs)
    ));
    let of_other_bytes = std::fs::read(format!(
        "{}.sig",
        signed(
            &author,
            "bytes.wasm",
            &rewritten(&golden(), "Golden", "Gilded"),
            &ours
        )
    ));
    let cases = [
        (other.unwrap(), "OF0350"),
        (of_other_bytes.unwrap(), "OF0351"),
    ];
    for (signature, code) in cases {
        std::fs::write(&beside, signature).unwrap();
        for command in ["check", "plan", "run", "serve"] {
            let refused = hub.run(&[command]).ends_with(2);
            assert!(
                refused.stderr.contains(&format!("error[{code}]: ")),
                "{refused:?}"
            );
        }
    }
    std::fs::remove_file(&beside).unwrap();
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0349]: "), "{refused:?}");
    std::fs::write(&beside, good).unwrap();
    hub.run(&["check"]).ends_with(0);
    // What was never locked needs a signature as well.
    for file in ["connectors.lock", "connectors/golden.wasm.locked"] {
        std::fs::remove_file(hub.path().join(file)).unwrap();
    }
    hub.run(&["check"]).ends_with(0);
    std::fs::write(&kept, rewritten(&golden(), "Golden", "Gilded")).unwrap();
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0351]: "), "{refused:?}");
}

#[test]
fn a_version_that_somebody_else_signed_waits_for_a_yes() {
    let author = Author::new();
    let (ours, public) = key(&author, "acme");
    let hub = hub(&[&public], false);
    let file = signed(&author, "golden.wasm", &golden(), &ours);
    hub.run(&["connector", "add", &file]).ends_with(0);
    let newer = rewritten(&golden(), r#""version":"1.0.0""#, r#""version":"1.1.0""#);
    let newer = author.write("newer.wasm", &newer);
    let asked = hub.run(&["connector", "add", &newer]).ends_with(3);
    assert!(asked.stderr.contains("no longer by `acme`"), "{asked:?}");
    author
        .hub
        .run(&["connector", "sign", &newer, "--key", &ours])
        .ends_with(0);
    hub.run(&["connector", "add", &newer]).ends_with(0);
}

#[test]
fn keys_that_cannot_be_read_are_shown_where_they_stand() {
    let hub = clean_hub(MANIFEST);
    let text = "[connectors]\ntrusted_keys = [\"acme:short\"]\nrequire_signature = true\n";
    hub.write("trust.toml", text);
    let author = Author::new();
    let file = author.write("golden.wasm", &golden());
    for arguments in [
        &["check"][..],
        &["connector", "add", &file],
        &["connector", "list"],
    ] {
        let refused = hub.run(arguments).ends_with(2);
        assert!(refused.stderr.contains("error[OF0353]: "), "{refused:?}");
        assert!(refused.stderr.contains("trust.toml:2:17"), "{refused:?}");
    }
}
