//! Whole migrations with third-party HTTP servers, and with our own that fails on request.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use bootswap_migration::OwnedMigration;
use bootswap_sim::Until;
use bootswap_sim::Unwatched;
use bootswap_sim::example;
use bootswap_sim::kept;
use bootswap_sim::{OriginServer, Report, Run, RunOutcome, Scenario, Settings, run};
use conformance::web::{nginx, python_http_server};
use esp_idf_format::Chip;

fn settings() -> Settings {
    Settings { network_timeout: Duration::from_millis(150), ..Settings::new(Until::Boot) }
}

/// Migrates the example's device and checks what has to hold for any server.
fn migrate(migration: &OwnedMigration, lab: &OriginServer) -> Run {
    let scenario = Scenario::synthetic(migration).unwrap();
    let run = run(&scenario, lab, settings(), &RefCell::new(Unwatched));
    let report = Report::new(&run, &kept(migration, &scenario));
    for kept in &report.kept {
        assert!(kept.intact, "{} changed, {}", kept.label, run.outcome);
    }
    if !matches!(run.outcome, RunOutcome::TargetRunning { .. }) {
        let area = Chip::Esp32s3.bootloader_region();
        assert!(
            run.before.bytes(area) == run.after.bytes(area),
            "bootloader changed: {}",
            run.outcome
        );
        // Only the slot for the application, and unclaimed flash, may have changed.
        for part in [flash(0x1_0000, 0x10_e000), flash(0x21_0000, 0x31_0000)] {
            assert!(
                run.before.bytes(part) == run.after.bytes(part),
                "{part} touched: {}",
                run.outcome
            );
        }
    }
    run
}

fn flash(start: u32, end: u32) -> flash_region::Region {
    let (start, end) = (flash_region::FlashAddr(start), flash_region::FlashAddr(end));
    flash_region::Region::new(start, end).unwrap()
}

/// The example with its files in a directory, to be fetched from `url`.
fn at(url: &str) -> OwnedMigration {
    let mut migration = example(Chip::Esp32s3).unwrap();
    for artifact in &mut migration.artifacts {
        artifact.url = Some(format!("{url}/{}.bin", artifact.name));
    }
    migration
}

fn save(dir: &Path) {
    for artifact in &example(Chip::Esp32s3).unwrap().artifacts {
        std::fs::write(
            dir.join(format!("{}.bin", artifact.name)),
            artifact.bytes.as_ref().unwrap(),
        )
        .unwrap();
    }
}

#[test]
fn from_nginx() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let server = nginx(dir.path(), "");
    let migration = at(&server.url());
    let run = migrate(&migration, &OriginServer::online(&migration));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
}

/// After five redirections, at an address of 2 KiB, with heads of 8 KiB and in chunks.
#[test]
fn from_nginx_with_redirections_and_long_heads() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let query = "A".repeat(2000);
    let mut directives = format!(
        "large_client_header_buffers 4 16k;\n\
         sub_filter_types *; sub_filter 'no such text' ''; sub_filter_once off;\n\
         location ~ ^/5/(.*)$ {{ return 308 /$1?token={query}; }}\n"
    );
    for (hop, status) in [(1, 301), (2, 302), (3, 303), (4, 307)] {
        let next = hop + 1;
        directives += &format!("location ~ ^/{hop}/(.*)$ {{ return {status} /{next}/$1; }}\n");
    }
    for number in 0..80 {
        directives += &format!("add_header X-Pad-{number} {} always;\n", "0123456789".repeat(9));
    }
    let server = nginx(dir.path(), &directives);
    let migration = at(&format!("{}/1", server.url()));
    let run = migrate(&migration, &OriginServer::online(&migration));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    assert_eq!(run.requests, 2 * 6);
}

#[test]
fn from_pythons_http_server() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let server = python_http_server(dir.path());
    let migration = at(&server.url());
    let run = migrate(&migration, &OriginServer::online(&migration));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
}

/// Every server leads to the same flash.
#[test]
fn nginx_and_python_lead_to_the_same_flash() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let (nginx, python) = (nginx(dir.path(), ""), python_http_server(dir.path()));
    let own = example(Chip::Esp32s3).unwrap();
    let slot = flash(0x11_0000, 0x21_0000);
    let expected = migrate(&own, &OriginServer::open(&own, Vec::new(), None).unwrap());
    for url in [nginx.url(), python.url()] {
        let migration = at(&url);
        let run = migrate(&migration, &OriginServer::online(&migration));
        let (ours, theirs) = (expected.at_reset.as_ref().unwrap(), run.at_reset.as_ref().unwrap());
        assert!(ours.bytes(slot) == theirs.bytes(slot), "{url}");
        assert!(ours.bytes(flash(0, 0x9000)) == theirs.bytes(flash(0, 0x9000)), "{url}");
    }
}

/// Each fault, and whether the target is reached.
#[test]
fn every_fault_ends_well_or_leaves_the_old_system() {
    let table = [
        // A download that breaks off is resumed, or started again.
        ("drop=13000", true),
        ("drop=1*2", true),
        ("drop*2", true),
        ("stall=20000*1", true),
        ("stall*1", true),
        ("truncate=5000", true),
        ("range-ignored+drop=13000*3", true),
        ("range-ignored", true),
        ("etag-changes+drop=20000*3", true),
        ("drop=20000*1 range-wrong*1", true),
        ("drop=20000*1 range-misplaced*1", true),
        ("no-length", true),
        ("no-length+drop=30000*2", true),
        ("chunked", true),
        ("chunked+drop=30000*2", true),
        // A wrong file is fetched again, and given up if it stays wrong.
        ("html*2", true),
        ("html", false),
        ("corrupt*2", true),
        ("corrupt=100000", false),
        ("status=503*3", true),
        ("status=404", false),
        ("empty*2", true),
        ("empty", false),
        ("oversize=100*2", true),
        ("oversize=100", false),
        ("drop", false),
        ("stall", false),
        // Redirections are followed, at most five.
        ("redirect=5", true),
        ("redirect=6", false),
        ("redirect-loop", false),
    ];
    let migration = example(Chip::Esp32s3).unwrap();
    for (faults, reaches_target) in table {
        let faults_of = |text: &str| text.split(' ').map(|fault| fault.parse().unwrap()).collect();
        let lab = OriginServer::open(&migration, faults_of(faults), None).unwrap();
        let run = migrate(&migration, &lab);
        let reached = matches!(run.outcome, RunOutcome::TargetRunning { .. });
        assert_eq!(reached, reaches_target, "{faults}: {}", run.outcome);
        if !reached {
            // The example's migrator is in the only app partition that has a firmware, so it waits
            // there; `migrate` has seen that what the device boots from is as it was.
            assert!(matches!(run.outcome, RunOutcome::Stuck { .. }), "{faults}: {}", run.outcome);
        }
    }
}

/// After a broken connection the device asks for the rest, and for little more.
#[test]
fn resuming_downloads_little_twice() {
    let migration = example(Chip::Esp32s3).unwrap();
    let whole = migrate(&migration, &OriginServer::open(&migration, Vec::new(), None).unwrap());
    let faults = vec!["/app_upd.bin:drop=40000*3".parse().unwrap()];
    let broken = migrate(&migration, &OriginServer::open(&migration, faults, None).unwrap());
    let again = broken.downloaded_bytes.saturating_sub(whole.downloaded_bytes);
    assert!(again <= 3 * 512, "{again} bytes fetched twice");
    assert_eq!(broken.requests, whole.requests + 3);
}
