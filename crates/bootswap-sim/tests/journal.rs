//! The only difference between two simulations of one migration.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;

use bootswap_sim::{OriginServer, Run, Scenario, Settings, Until, Unwatched, example, run};
use esp_idf_format::Chip;
use flash_region::SECTOR_BYTES;

/// The flash at the reset, from files at that host.
fn fetched_from(host: &str) -> Run {
    let mut migration = example(Chip::Esp32).unwrap();
    for artifact in &mut migration.artifacts {
        artifact.url = Some(format!("http://{host}/{}.bin", artifact.name));
    }
    let scenario = Scenario::synthetic(&migration).unwrap();
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    run(&scenario, &lab, Settings::new(Until::Reboot), &RefCell::new(Unwatched))
}

/// The checksum of each record in the journal is over the URLs too, so that another migration's
/// records count as garbage. A comparison of a device's flash with a simulation of the same files
/// from other URLs finds a difference in this sector, and nowhere else.
#[test]
fn urls_change_only_the_journal() {
    let (here, there) = (fetched_from("192.168.100.101:8070"), fetched_from("10.0.2.2:40000"));
    let journal = here.plan.as_ref().unwrap().journal.unwrap();
    assert_eq!(there.plan.as_ref().unwrap().journal, Some(journal));
    let [here, there] = [here, there].map(|run| run.at_reset.unwrap().to_bytes());
    let sectors = here.chunks(SECTOR_BYTES as usize).zip(there.chunks(SECTOR_BYTES as usize));
    let differing: Vec<usize> = sectors
        .enumerate()
        .filter_map(|(index, (here, there))| (here != there).then_some(index))
        .collect();
    assert_eq!(differing, [(journal.start().get() / SECTOR_BYTES) as usize]);
}
