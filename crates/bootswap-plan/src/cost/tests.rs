//! Costs that were computed by hand.

extern crate std;

use std::vec::Vec;

use esp_idf_format::Chip;
use flash_region::BLOCK_64K_BYTES;

use super::*;
use crate::Purpose;
use crate::test_support::{APP_IMAGE_BYTES, Example, FACTORY, MIB, OTA_0, region};

const fn cost(erase_4k: u32, erase_32k: u32, erase_64k: u32, pages: u32) -> Cost {
    Cost { erase_4k, erase_32k, erase_64k, pages }
}

fn costs(example: &Example) -> Vec<Cost> {
    example.with_plan(|migration, _, plan| {
        let model = CostModel::new(migration);
        let costs: Vec<Cost> = plan.steps.iter().map(|step| model.step(step)).collect();
        let sum: Cost = costs.iter().copied().sum();
        assert_eq!(model.plan(plan), sum + model.journal(plan));
        costs
    })
}

#[test]
fn the_example_step_by_step() {
    let example = Example::new(Chip::Esp32s3, FACTORY);
    assert_eq!(
        costs(&example).into_iter().filter(|cost| *cost != Cost::NONE).collect::<Vec<_>>(),
        [
            // Application: 37 sectors are two blocks of 64 KiB and, for 5 sectors, one of 32 KiB.
            // The trailer takes two sectors and one page.
            cost(2, 1, 2, APP_IMAGE_BYTES.div_ceil(256) + 1),
            // Bootloader: 7 sectors and 107 pages, staged and later committed.
            cost(0, 1, 0, 107),
            // The primary slot's trailer, and the scratch area's end if it happens to end with a
            // magic. The migrator runs where the primary slot's header is.
            cost(2, 0, 0, 0),
            cost(1, 0, 0, 0),
            cost(0, 1, 0, 107),
        ]
    );
}

#[test]
fn the_commit_window_of_the_example() {
    for chip in Chip::ALL {
        Example::new(chip, FACTORY).with_plan(|migration, _, plan| {
            let window = CostModel::new(migration).commit_window(plan).unwrap();
            assert_eq!(window, cost(0, 1, 0, 107), "{chip}");
            assert_eq!((window.typ_us(), window.max_us()), (162_800, 1_921_000));
            // If something is before a bootloader at 0x1000, no block erase can be used.
            let beside = CostModel::new(migration).with_unused_written().commit_window(plan);
            let at_0 = chip.bootloader_addr() == FlashAddr::ZERO;
            let wanted = if at_0 { cost(0, 1, 0, 107) } else { cost(7, 0, 0, 107) };
            assert_eq!(beside, Some(wanted), "{chip}");
        });
    }
}

#[test]
fn a_plan_that_moves_the_migrator_has_no_commit_window() {
    let mut example = Example::new(Chip::Esp32s3, FACTORY);
    (example.map.swap, example.map.scratch) = (mcuboot_format::SwapKind::Move, None);
    // 160 sectors in ten blocks of 64 KiB; then an entry in otadata.
    assert_eq!(costs(&example), [cost(0, 0, 10, 2560), cost(1, 0, 0, 1), Cost::NONE]);
    example.with_plan(|migration, _, plan| {
        assert_eq!(CostModel::new(migration).commit_window(plan), None);
        assert_eq!(CostModel::new(migration).journal(plan), Cost::NONE);
    });
}

#[test]
fn what_is_not_known_of_an_artifact_counts_in_full() {
    let mut example = Example::new(Chip::Esp32s3, FACTORY);
    example.app.content = None;
    assert_eq!(costs(&example)[0], cost(0, 0, 16, 4096));
    (example.app.len_bytes, example.app.sha256) = (None, None);
    assert_eq!(costs(&example)[0], cost(0, 0, 16, 4096));
}

#[test]
fn the_journal_is_erased_once_and_takes_a_checkpoint_every_other_sector() {
    let mut example = Example::new(Chip::Esp32s3, FACTORY);
    let journal = |example: &Example| {
        example.with_plan(|migration, _, plan| CostModel::new(migration).journal(plan))
    };
    // An attempt; 37 sectors and 7 sectors; two records that something was fetched.
    assert_eq!(journal(&example), cost(1, 0, 0, 1 + 19 + 4 + 2));
    // Without its digest, all of the application is fetched, padding included.
    example.app.sha256 = None;
    assert_eq!(journal(&example), cost(1, 0, 0, 1 + 128 + 4 + 2));
}

/// Regions of this many sectors from `start`, and the erases that clear them.
#[test]
fn erases_are_the_largest_that_pay() {
    let table = [
        (0x1_0000, 1, cost(1, 0, 0, 0)),
        (0x1_0000, 2, cost(2, 0, 0, 0)),
        (0x1_0000, 3, cost(0, 1, 0, 0)),
        (0x1_0000, 8, cost(0, 1, 0, 0)),
        // 32 KiB and one sector take 165 ms one by one.
        (0x1_0000, 9, cost(0, 0, 1, 0)),
        (0x1_0000, 16, cost(0, 0, 1, 0)),
        (0x1_0000, 17, cost(1, 0, 1, 0)),
        // From the middle of a block, sectors are erased up to the next half.
        (0x1_8000, 8, cost(0, 1, 0, 0)),
        (0x1_8000, 9, cost(1, 1, 0, 0)),
        (0x1_7000, 9, cost(1, 1, 0, 0)),
        (0x1_9000, 7, cost(7, 0, 0, 0)),
    ];
    for (start, sectors, wanted) in table {
        let run = region(start, sectors * SECTOR_BYTES);
        // As far as the blocks of the run may be erased.
        let erasable = run.align_out(BLOCK_64K_BYTES).unwrap();
        let free = Place::plain(run, erasable, Purpose::Staging);
        let pages = Cost::pages(sectors * 16);
        assert_eq!(put_run(&free, run, run.end()), wanted + pages, "{run}");
        // Only the run itself may be erased: blocks only where the run fills them.
        let tight = put_run(&Place::plain(run, run, Purpose::Staging), run, run.end());
        assert!(tight.typ_us() >= (wanted + pages).typ_us(), "{run}: {tight:?}");
        assert!(tight.erase_4k + 8 * tight.erase_32k + 16 * tight.erase_64k <= sectors, "{run}");
    }
}

#[test]
fn what_is_reserved_is_not_erased_along() {
    let run = region(0x1_0000, 5 * SECTOR_BYTES);
    let erasable = region(0x1_0000, BLOCK_64K_BYTES);
    let reserved = Some(region(0x1_7000, SECTOR_BYTES));
    let place = Place { reserved, ..Place::plain(run, erasable, Purpose::Destination) };
    assert_eq!(put_run(&place, run, run.end()), cost(5, 0, 0, 80));
}

/// An image of three sectors is cleared by one erase, unless the third contains only TLVs: then the
/// engine has cleared two sectors separately before it knows of the third.
#[test]
fn tlvs_that_begin_a_sector_may_cost_an_erase() {
    for (image_len_bytes, wanted) in [
        (2 * SECTOR_BYTES, cost(2 + 2, 0, 0, 32 + 1)),
        (2 * SECTOR_BYTES + 64, cost(1 + 2, 1, 0, 33 + 1)),
        (3 * SECTOR_BYTES - 64, cost(2, 1, 0, 48 + 1)),
        // Four sectors or three, both go with one erase.
        (3 * SECTOR_BYTES + 64, cost(2, 1, 0, 49 + 1)),
    ] {
        let mut example = Example::new(Chip::Esp32s3, FACTORY);
        example.app.content = Some(Content::Mcuboot {
            image_len_bytes,
            padded: true,
            confirmed: true,
            signed: false,
            version: Default::default(),
        });
        assert_eq!(costs(&example)[0], wanted, "{image_len_bytes}");
    }
}

#[test]
fn gaps_forbid_blocks() {
    let example = Example::new(Chip::Esp32s3, FACTORY);
    example.with(|migration, _| {
        let model = CostModel::new(migration);
        let to = region(0, 0xf000);
        let commit = |merge| Step::Commit {
            artifact: ArtifactIndex(0),
            from: Target::Memory { len_bytes: to.len_bytes() },
            to: Place::plain(to, to, Purpose::Destination),
            merge,
            unused: None,
        };
        assert_eq!(model.step(&commit(Merge::KeepUnderBlank)), cost(15, 0, 0, 240));
        assert_eq!(model.step(&commit(Merge::Exact)), cost(7, 1, 0, 240));
    });
}

#[test]
fn memory_costs_no_flash() {
    let example = Example::new(Chip::Esp32s3, FACTORY);
    example.with(|migration, _| {
        let mut routes = heapless::Vec::new();
        let to = Target::Memory { len_bytes: 0x8000 };
        routes.push(Route { file_offset: 0, to }).unwrap();
        let fetch = Step::Fetch { artifact: ArtifactIndex(1), routes };
        assert_eq!(CostModel::new(migration).step(&fetch), Cost::NONE);
    });
}

#[test]
fn small_steps() {
    let example = Example::new(Chip::Esp32s3, OTA_0);
    example.with(|migration, _| {
        let model = CostModel::new(migration);
        let (otadata, slot) = (region(0xd000, 0x2000), region(0x1_0000, MIB));
        let none = Region::clamped(slot.end(), 0);
        let factory = Step::Select { otadata, app: App::Factory };
        let table = [
            (Step::Select { otadata, app: App::Ota { index: 0, count: 2 } }, cost(1, 0, 0, 1)),
            (factory, cost(2, 0, 0, 0)),
            (Step::Confirm { slot }, cost(0, 0, 0, 2)),
            (Step::CleanScratch { scratch: slot, erasable: slot }, cost(1, 0, 0, 0)),
            (Step::CleanScratch { scratch: slot, erasable: none }, Cost::NONE),
            (Step::CleanHeader { slot, erasable: slot.prefix(SECTOR_BYTES) }, cost(1, 0, 0, 0)),
            (Step::CleanHeader { slot, erasable: none }, Cost::NONE),
            (Step::Reset, Cost::NONE),
        ];
        for (step, wanted) in table {
            assert_eq!(model.step(&step), wanted, "{step:?}");
        }
    });
}
