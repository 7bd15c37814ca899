//! `onefold backfill` and `onefold replay`, against the program and its connectors.

use crate::small::Small;

#[test]
fn one_record_is_read_again_beside_the_runs_and_what_is_stored_is_mapped_again() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    let cursor = "select sum(updated_at) from stream_cursor where hex(part) not like '1F%'";
    let before = small.hub.number("small.db", cursor);
    let words = ["backfill", "crm", "--stream", "contacts", "--key", "11"];
    small.hub.run(&words).ends_with(0);
    let changed = "select changed from run where kind = 'backfill'";
    assert_eq!(small.hub.number("small.db", changed), 1);
    assert_eq!(small.hub.number("small.db", cursor), before);
    let left = "select count(*) from stream_cursor where hex(part) like '1F%'";
    assert_eq!(small.hub.number("small.db", left), 0);
    let shown = small
        .hub
        .run(&["profile", "show", "email:ada@poczta.example"]);
    assert!(shown.stdout.contains("King"), "{}", shown.stdout);

    let records = "select count(*) from record where state = 0";
    let records = small.hub.number("small.db", records);
    let replayed = small
        .hub
        .run(&["--json", "replay", "payments"])
        .ends_with(0);
    let mapped = replayed.json()["mapped"].as_i64().unwrap();
    assert!(0 < mapped && mapped < records, "{mapped} of {records}");
    let again = small
        .hub
        .run(&["--json", "run", "--no-delivery"])
        .ends_with(0);
    assert_eq!(again.json()["remapped"], 0);

    let unknown = small.hub.run(&["backfill", "crn"]).ends_with(2);
    assert!(
        unknown.stderr.contains("did you mean `crm`?"),
        "{}",
        unknown.stderr
    );
    let when = ["backfill", "crm", "--since", "yesterday"];
    let when = small.hub.run(&when).ends_with(2);
    assert!(
        when.stderr.contains("`yesterday` is not a time"),
        "{}",
        when.stderr
    );
}
