//! Flash of more than 16 MB, of which nothing above that can be reached.

use bootswap_plan::*;
use esp_idf_format::partition::{PartitionType, subtype};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;

use crate::case::*;

const LIMIT: FlashAddr = FlashAddr(0x100_0000);

/// The example with this much flash, which its table uses up to 16 MB.
fn filled(flash_mib: u32) -> Case {
    let mut case = example();
    case.flash_len_bytes = flash_mib * MIB;
    let rest = LIMIT.get() - 0x31_0000;
    case.table.push(partition("files", PartitionType::Data, 0x81, 0x31_0000, rest));
    case
}

/// Everything that a plan writes or erases.
fn touched(plan: &Plan) -> Vec<Region> {
    let commits = plan.steps.iter().filter_map(|step| match step {
        Step::Commit { to, .. } => Some(to.erasable),
        _ => None,
    });
    changed_before_commit(plan).into_iter().chain(commits).collect()
}

#[test]
fn what_is_free_above_16_mb_is_not_used() {
    for flash_mib in [16, 32, 64, 128] {
        for running in ["factory", "ota_0", "ota_1"] {
            let mut case = filled(flash_mib);
            case.running = running;
            let plan = case.plan().unwrap();
            assert_safe(&case, &plan);
            let highest = touched(&plan).into_iter().map(Region::end).max();
            assert!(highest.unwrap() <= LIMIT, "{running}, {flash_mib} MiB: {plan:#?}");
        }
    }
}

#[test]
fn a_table_that_goes_on_above_16_mb_is_sound() {
    let mut case = filled(32);
    let more = [
        partition("more", PartitionType::Data, 0x81, 0x100_0000, 8 * MIB),
        partition("ota_2", PartitionType::App, subtype::OTA_0 + 2, 0x180_0000, 8 * MIB),
    ];
    case.table.extend(more);
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    // Nor does the migrator move there, if it has to.
    case.map.as_mut().unwrap().swap = SwapKind::Move;
    case.table.retain(|p| !["ota_0", "ota_1"].contains(&p.label.as_str().unwrap()));
    assert!(case.codes().contains(&"no-relocation"));
}

#[test]
fn a_slot_may_end_at_16_mb() {
    let mut case = example();
    case.flash_len_bytes = 32 * MIB;
    case.artifacts[1].content = Some(Content::EspImage {
        chip_id: case.chip.image_chip_id(),
        image_len_bytes: 27_376,
        flash_len_bytes: Some(16 * MIB),
    });
    case.map.as_mut().unwrap().secondary = region(0xf0_0000, MIB);
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    assert!(touched(&plan).into_iter().all(|region| region.end() <= LIMIT));
}
