//! Shows 5: a program that nobody here wrote reads the description, makes requests that fit it and requests that do not, and compares
//! the answers with it.

use super::{MAIL, Served, bearer};
use crate::hub::beside_program;
use crate::online::clients::made;
use onefold_tests::need::need;
use std::io::Write;
use std::process::Command;

const WANTED: [&str; 1] = ["schemathesis==4.32.5"];

#[test]
fn schemathesis_finds_no_server_error_and_no_answer_that_contradicts_the_description() {
    let folder = beside_program("schemathesis");
    let python = folder.join("bin/python");
    let is_made = made(&folder, &WANTED, || {
        let venv = Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder)
            .output()?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet"]).args(WANTED);
        Ok(venv.status.success() && pip.output()?.status.success())
    });
    if !need(
        "schemathesis",
        (!is_made).then_some("python3 with venv, and its registry"),
    ) {
        return;
    }
    let served = Served::new();
    let token = served.token("admin");
    let number = |query: &str| served.hub().number("small.db", query);
    let (run, letter) = (
        number("select max(id) from run"),
        number("select max(id) from dead_letter"),
    );
    // What there is: the answers are compared with the description.
    let config = format!(
        "[parameters]\nidentifier = \"{MAIL}\"\naudience = \"visitors\"\ndestination = \"newsletter-out\"\n\
         id = \"g-1\"\nq = \"zyxcanary\"\nsource = \"crm\"\n\
         [[operations]]\ninclude-path = \"/api/v1/runs/{{id}}\"\nparameters = {{ id = {run} }}\n\
         [[operations]]\ninclude-path = \"/api/v1/dead-letters/{{id}}\"\nparameters = {{ id = {letter} }}\n"
    );
    served.hub().write("there.conf", &config);
    for (config, phases, mode) in [
        (Some("there.conf"), "fuzzing", "positive"),
        (None, "coverage,fuzzing", "all"),
    ] {
        let mut command = Command::new(folder.join("bin/st"));
        let config = config.into_iter().flat_map(|file| ["--config-file", file]);
        let ran = command
            .args(config)
            .arg("run")
            .arg(format!("http://127.0.0.1:{}/openapi.json", served.port))
            .args([
                "--header",
                &bearer(&token).replace("authorization", "Authorization"),
            ])
            // Which texts are identifiers is not a pattern: those that fit none are 400 all the same.
            .args([
                "--checks",
                "all",
                "--exclude-checks",
                "positive_data_acceptance",
            ])
            .args(["--phases", phases, "--mode", mode, "--max-examples", "8"])
            .args(["--seed", "7", "--no-shrink", "--workers", "2"])
            .args(["--suppress-health-check", "all", "--warnings", "off"])
            .current_dir(served.hub().path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        let wrong = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}{wrong}");
        let cases = said.lines().find(|line| line.contains("generated"));
        let cases = cases.expect("the number of cases").trim();
        let line = format!("schemathesis, {mode}: {cases}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    // It did see somebody, equal requests being made once, and nothing is held by what was asked.
    let seen = "select count(*) from audit where outcome = 200 and action = 'GET /api/v1/profiles/{identifier}'";
    assert!(number(seen) >= 1);
    assert_eq!(served.get(&token, "/api/v1/status").status, 200);
    served.hub().run(&["audit", "verify"]).ends_with(0);
}
