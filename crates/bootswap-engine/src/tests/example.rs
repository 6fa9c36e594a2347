//! The example, on a flash that works.

use std::vec::Vec;

use super::kit::*;
use crate::Done;
use nor_sim::{Counted, Driver, Power};

#[test]
fn ends_with_everything_in_place_and_nothing_else_touched() {
    let scene = Scene::example();
    let (flash, log) = scene.migrated();
    scene.assert_done(&flash);
    assert!(flash.max_erase_count(at(0, FLASH_LEN)) <= 2);
    assert_eq!(log.asked_to_commit, 1);
    assert_eq!(log.delays_ms, [] as [u32; 0]);
}

#[test]
fn a_second_run_finds_everything_in_place() {
    let scene = Scene::example();
    let (flash, _) = scene.migrated();
    let mut again = Driver::with_alignment(Counted::new(flash));
    let (mut server, mut log) = (scene.server(), Log::default());
    let ended = scene.run_with(&mut again, &mut server, &mut log, &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    assert_eq!(server.asked, Vec::new());
    // The journal records the attempt, nothing else.
    assert_eq!((again.device().counts().ops(), log.asked_to_commit), (1, 0));
}

#[test]
fn the_padding_is_not_fetched() {
    let scene = Scene::example();
    let mut server = scene.server();
    let (ended, flash, log) = scene.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader));
    scene.assert_done(&flash);
    // 20,000 bytes of payload with header and TLVs, and the bootloader, in chunks of 700.
    assert!(server.sent_bytes < 20_000 + 0x2000 + 1000, "{}", server.sent_bytes);
    assert!(log.has("are padding and trailer, known by the digest"));
}

/// Derived by hand, operation by operation.
#[test]
fn takes_these_operations_and_no_others() {
    let scene = Scene::example();
    let mut flash = Driver::with_alignment(Counted::new(scene.flash.clone()));
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut Log::default(), &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    let counts = flash.device().counts();
    // The image of 20,072 bytes needs 5 sectors of old data gone, which half a block does in one
    // erase; the trailer's two sectors go one by one, and so do the two of the bootloader.
    assert_eq!((counts.erase_4k, counts.erase_32k, counts.erase_64k), (4, 1, 0));
    let image = 20_072u64.div_ceil(256);
    let bootloader = 8176u64.div_ceil(256);
    // The journal: one attempt, two checkpoints, two artifacts fetched.
    assert_eq!(counts.pages_programmed, image + 1 + 2 * bootloader + 5);
}

/// The same on a device that is blank where it may be: only what the files contain is programmed.
#[test]
fn takes_no_erase_but_the_commits_on_a_blank_device() {
    let mut scene = Scene::example();
    let erased = [0xff; SLOT_LEN as usize];
    scene.flash.load(SECONDARY.start(), &erased);
    let mut flash = Driver::with_alignment(Counted::new(scene.flash.clone()));
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut Log::default(), &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    let counts = flash.device().counts();
    assert_eq!((counts.erase_4k, counts.erase_32k, counts.erase_64k), (2, 0, 0));
}

/// An older copy of the same image with a few damaged sectors: only those are written.
#[test]
fn repairs_an_older_copy_sector_by_sector() {
    let mut scene = Scene::example();
    let bytes = scene.part("app").bytes.clone();
    scene.flash.load(SECONDARY.start(), &bytes);
    for sector in [4, 15] {
        scene.flash.load(SECONDARY.start().saturating_add(sector * 0x1000), &[0; 16]);
    }
    let mut flash = Driver::with_alignment(Counted::new(scene.flash.clone()));
    flash.device_mut().watch(SECONDARY);
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut Log::default(), &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    let counts = flash.device().counts_in(SECONDARY).unwrap();
    // The image's last sector has 3,688 bytes; the slot's last one only its last page.
    assert_eq!((counts.erases(), counts.pages_programmed), (2, 15 + 1));
}
