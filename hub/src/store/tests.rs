//! Two processes over one file are two stores here.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::Store;
use std::path::Path;

async fn open(folder: &Path) -> Store {
    let url = format!("sqlite:{}", folder.join("hub.db").display());
    Store::open(&url).await.unwrap()
}

// B12
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_reads_first_may_write_whatever_another_process_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()).await, open(folder.path()).await);
    let mut tx = one.begin().await.unwrap();
    assert_eq!(tx.hub_value("x").await.unwrap(), None);
    let writing = tokio::spawn(async move {
        let mut tx = other.begin().await.unwrap();
        let seen = tx.hub_value("x").await.unwrap();
        tx.set_hub_value("y", "other").await.unwrap();
        tx.commit().await.unwrap();
        seen
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    tx.set_hub_value("x", "one").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(writing.await.unwrap().as_deref(), Some("one"));
}

// B17
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opening = [(); 8].map(|()| {
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            let store = open(&path).await;
            let mut tx = store.begin().await.unwrap();
            let number = tx.reserve("version", 1).await.unwrap();
            tx.commit().await.unwrap();
            number
        })
    });
    let mut numbers = Vec::new();
    for one in opening {
        numbers.push(one.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// A full disk: SQLite rolls back by itself, and what the driver sends after it fails.
#[tokio::test]
async fn a_store_that_was_full_goes_on_as_soon_as_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("full.db").display());
    let store = Store::open(&url).await.unwrap();
    let full = async |by_hand: bool| -> super::Result<()> {
        let mut tx = store.begin().await?;
        // Of this connection alone.
        tx.run("pragma max_page_count = 1", &[]).await?;
        for n in 0..200 {
            let name = format!("{by_hand}{n}");
            tx.set_hub_value(&name, &"x".repeat(8_000)).await?;
        }
        tx.commit().await
    };
    for round in [true, false] {
        let problem = full(round).await.unwrap_err();
        assert!(problem.message.contains("full"), "{problem:?}");
        let mut tx = store.begin().await.unwrap();
        tx.set_hub_value("after", "written").await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_opened_and_read_while_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let writing = open(folder.path()).await;
    let mut tx = writing.begin().await.unwrap();
    tx.set_hub_value("x", "written").await.unwrap();
    let reading = async {
        let other = open(folder.path()).await;
        other.read().await.unwrap().hub_value("x").await.unwrap()
    };
    let soon = std::time::Duration::from_secs(10);
    let read = tokio::time::timeout(soon, reading).await;
    assert_eq!(read.expect("it waits for the writer"), None);
    tx.commit().await.unwrap();
}
