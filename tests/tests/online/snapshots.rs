//! The unit that `onefold systemd` prints, whole.

use crate::hub::Hub;
use onefold_tests::need::need;
use std::process::Command;

#[test]
fn the_unit_names_this_hub_and_systemd_accepts_it() {
    let hub = Hub::new();
    let folder = hub.path().canonicalize().unwrap();
    let folder = folder.to_str().unwrap();
    let printed = hub
        .run(&["systemd", "--user", "root", "--program", "/bin/true"])
        .ends_with(0);
    let name = hub.path().file_name().unwrap().to_str().unwrap();
    let shown = printed
        .stdout
        .replace(folder, "[FOLDER]")
        .replace(name, "[NAME]");
    insta::assert_snapshot!(shown);
    let analyze = Command::new("systemd-analyze").arg("--version").output();
    if !need("the unit", analyze.is_err().then_some("systemd-analyze")) {
        return;
    }
    let unit = hub.path().join("onefold-hub.service");
    std::fs::write(&unit, &printed.stdout).unwrap();
    let said = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.status.success() && !text.contains("onefold-hub"),
        "{text}"
    );
    let refused = hub
        .run(&["systemd", "--user", "a\nExecStart=x"])
        .ends_with(2);
    assert!(refused.stderr.contains("have to quote"), "{refused:?}");
}
