//! Plans compared with what the simulated device does, and how they are printed.

use std::cell::RefCell;

use bootswap_plan::{Cost, CostModel, ERASE_4K, ERASE_32K, ERASE_64K, OpTime, PROGRAM_PAGE, Role};
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region, is_blank};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;
use nor_sim::{Counts, DatasheetTiming, TypMax};

use bootswap_migration::content::classify;
use bootswap_migration::facts;
use bootswap_migration::plan::{FlashLayout, PlanReport, report, stages};
use bootswap_migration::{OwnedMigration, OwnedStaging};
use bootswap_sim::Until;
use bootswap_sim::Unwatched;
use bootswap_sim::example;
use bootswap_sim::variants::{merged, resign};
use bootswap_sim::{OriginServer, RunOutcome, Scenario, Settings, run};

const MIB: u32 = 0x10_0000;

fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// What a plan is estimated to cost, and what it really costs on a device full of old data.
struct Compared {
    plan: Cost,
    window: Cost,
    done: Counts,
    done_window: Counts,
}

/// An estimate as the simulator counts, without bytes.
fn counted(cost: Cost) -> Counts {
    Counts {
        erase_4k: cost.erase_4k.into(),
        erase_32k: cost.erase_32k.into(),
        erase_64k: cost.erase_64k.into(),
        pages_programmed: cost.pages.into(),
        ..Counts::default()
    }
}

/// Plans from the flash alone, as the device does, and carries the plan out. What MCUboot does
/// afterwards is exactly what the planner says.
fn compare(name: &str, migration: &OwnedMigration) -> Compared {
    let scenario = Scenario::synthetic(migration).unwrap();
    let lab = OriginServer::open(migration, Vec::new(), None).unwrap();
    let settings = Settings::new(Until::Boot);
    let run = run(&scenario, &lab, settings, &RefCell::new(Unwatched));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{name}: {}", run.outcome);
    let swapped = run.until_target.unwrap() - run.migration;

    let dump = scenario.flash.to_bytes();
    let found =
        facts::read_flash(migration.chip, &dump, None, migration.running.as_deref()).unwrap();
    let (plan, window) = migration.with(|migration| {
        let stages = stages(migration, found.facts.lend()).unwrap();
        let model = CostModel::new(migration);
        let last = stages.last().unwrap();
        assert_eq!(run.plan.as_ref(), Some(&last.plan), "{name}: another plan on the device");
        let window = model.commit_window(&last.plan).unwrap();
        assert_eq!(
            counted(model.swap(&last.plan)),
            Counts { bytes_programmed: 0, bytes_read: 0, ..swapped },
            "{name}: the swap"
        );
        (stages.iter().map(|stage| model.plan(&stage.plan)).sum::<Cost>(), window)
    });
    Compared { plan, window, done: run.migration, done_window: run.window }
}

impl Compared {
    /// Estimated time divided by the real time, of the whole plan and of the window.
    fn assert_upper(&self, name: &str) -> (f64, f64) {
        let ratio = |said: Cost, done: Counts| {
            let took = done.duration_us(&DatasheetTiming::W25Q32JV);
            assert!(said.typ_us() >= took.typ, "{name}: said {said:?}, done {done}");
            assert!(said.max_us() >= took.max, "{name}: said {said:?}, done {done}");
            said.typ_us() as f64 / took.typ as f64
        };
        let ratios = (ratio(self.plan, self.done), ratio(self.window, self.done_window));
        println!(
            "{name}: said {} ms, took {} ms; window said {} ms, took {} ms",
            self.plan.typ_us() / 1000,
            self.done.duration_us(&DatasheetTiming::W25Q32JV).typ / 1000,
            self.window.typ_us() / 1000,
            self.done_window.duration_us(&DatasheetTiming::W25Q32JV).typ / 1000,
        );
        ratios
    }
}

#[test]
fn planner_and_simulator_know_the_same_flash() {
    let of = |time: OpTime| TypMax { typ: time.typ_us.into(), max: time.max_us.into() };
    let chip = DatasheetTiming::W25Q32JV;
    assert_eq!(of(ERASE_4K), chip.erase_4k_us);
    assert_eq!(of(ERASE_32K), chip.erase_32k_us);
    assert_eq!(of(ERASE_64K), chip.erase_64k_us);
    assert_eq!(of(PROGRAM_PAGE), chip.page_program_us);
}

#[test]
fn the_example_costs_what_its_plan_says() {
    for chip in [Chip::Esp32, Chip::Esp32s3] {
        let compared = compare(chip.name(), &example(chip).unwrap());
        let (all, window) = compared.assert_upper(chip.name());
        assert!(all <= 1.05, "{chip}: {all}");
        assert!(window <= 1.001, "{chip}: {window}");
    }
}

#[test]
fn no_swap_from_no_partition_costs_more_than_planned() {
    for swap in SwapKind::ALL {
        for running in ["factory", "ota_0", "ota_1"] {
            let mut migration = example(Chip::Esp32c3).unwrap();
            migration.running = Some(running.to_owned());
            let map = migration.mcuboot.as_mut().unwrap();
            map.swap = swap;
            if swap != SwapKind::Scratch {
                map.scratch = None;
            }
            resign(&mut migration, 149_824, Padding::Confirmed).unwrap();
            let name = format!("{swap} from {running}");
            let (all, _) = compare(&name, &migration).assert_upper(&name);
            assert!(all <= 1.3, "{name}: {all}");
        }
    }
}

/// Image lengths just around the ends of sectors and blocks, where the rules for erases change.
#[test]
fn no_length_of_image_costs_more_than_planned() {
    for sectors in [1, 2, 3, 8, 9, 10, 16, 17, 18, 24] {
        // With header and TLVs: a little more than a whole number of sectors; the end of the TLVs
        // just in the next sector, which the device learns late; a little less.
        for less in [0, 100, 200] {
            // The one of the example's plans that does nothing as a precaution.
            let mut migration = example(Chip::Esp32c6).unwrap();
            let map = migration.mcuboot.as_mut().unwrap();
            (map.swap, map.scratch) = (SwapKind::Overwrite, None);
            resign(&mut migration, sectors * 0x1000 - less, Padding::Confirmed).unwrap();
            let name = format!("{sectors} sectors less {less} bytes");
            let compared = compare(&name, &migration);
            compared.assert_upper(&name);
            // At most one sector more than needed.
            let took_us = compared.done.duration_us(&DatasheetTiming::W25Q32JV).typ;
            let most_us = took_us + u64::from(ERASE_4K.typ_us) + 2 * u64::from(PROGRAM_PAGE.typ_us);
            assert!(compared.plan.typ_us() <= most_us, "{name}: {:?}", compared.plan);
        }
    }
}

#[test]
fn no_other_migration_costs_more_than_planned() {
    let mut unpadded = example(Chip::Esp32s2).unwrap();
    resign(&mut unpadded, 149_824, Padding::None).unwrap();
    unpadded.artifacts[0].confirm = true;
    compare("unpadded", &unpadded).assert_upper("unpadded");

    let mut embedded = unpadded.clone();
    embedded.artifacts.iter_mut().for_each(|artifact| artifact.url = None);
    compare("embedded", &embedded).assert_upper("embedded");

    let mut labelled = example(Chip::Esp32).unwrap();
    labelled.staging = OwnedStaging::Label("ota_1".to_owned());
    compare("labelled", &labelled).assert_upper("labelled");

    let mut large = example(Chip::Esp32c3).unwrap();
    resign(&mut large, 900_000, Padding::Confirmed).unwrap();
    compare("large", &large).assert_upper("large");

    let merged = merged(Chip::Esp32c3).unwrap();
    compare("merged", &merged).assert_upper("merged");
}

fn reported(migration: &OwnedMigration) -> PlanReport {
    report(migration, &facts::assumed(migration).unwrap(), None)
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut moved = example(Chip::Esp32).unwrap();
    let map = moved.mcuboot.as_mut().unwrap();
    (map.swap, map.scratch) = (SwapKind::Move, None);
    let mut named = example(Chip::Esp32s3).unwrap();
    named.artifacts[0].name = "an application with a name of some length".to_owned();
    let mut refused = example(Chip::Esp32s3).unwrap();
    refused.mcuboot.as_mut().unwrap().max_align_bytes = 7;
    refused.flash_len_bytes = Some(2 * MIB);
    let mut labelled = example(Chip::Esp32).unwrap();
    labelled.staging = OwnedStaging::Label("ota_1".to_owned());
    for migration in [moved, named, refused, labelled, merged(Chip::Esp32).unwrap()] {
        let text = reported(&migration).to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
            assert_eq!(line, line.trim_end(), "blanks at its end");
        }
    }
}

/// What the flash map of the example shows at an address before, at and after the commit.
fn at(map: &FlashLayout, addr: u32) -> [&str; 3] {
    let row = map.rows.iter().rfind(|row| row.region.offset <= addr).unwrap();
    [&row.before, &row.at_commit, &row.after]
}

#[test]
fn the_map_tells_what_is_where_and_when() {
    let map = reported(&example(Chip::Esp32s3).unwrap()).flash_map.unwrap();
    let table = [
        (0, ["bootloader", "bootloader", "bootloader: mcuboot"]),
        (0x7000, ["bootloader", "bootloader", "bootloader: maybe erased"]),
        (0x8000, ["partition table"; 3]),
        (0x9000, ["nvs"; 3]),
        (0x1_0000, ["factory: migrator", "factory: migrator", "primary: app_upd"]),
        (0x8_0000, ["factory: migrator", "factory: migrator", "primary: migrator"]),
        (0xc_0000, ["factory", "factory", "primary: old data"]),
        (0x10_f000, ["factory", "factory: erased", "primary: trailer"]),
        (0x11_0000, ["ota_0", "ota_0: app_upd", "secondary: migrator"]),
        (0x13_5000, ["ota_0", "ota_0: maybe erased", "secondary: maybe erased"]),
        (0x18_0000, ["ota_0", "ota_0", "secondary: old data"]),
        (0x20_f000, ["ota_0", "ota_0: trailer of app_upd", "secondary: trailer"]),
        (0x21_0000, ["ota_1", "ota_1", "scratch area"]),
        (0x26_0000, ["ota_1"; 3]),
        (0x31_0000, ["unclaimed", "mcuboot, staged", "mcuboot, staged"]),
        (0x31_7000, ["unclaimed", "maybe erased", "maybe erased"]),
        (0x32_0000, ["unclaimed"; 3]),
        (0x3f_f000, ["unclaimed", "checkpoints", "checkpoints"]),
    ];
    for (addr, wanted) in table {
        assert_eq!(at(&map, addr), wanted, "{addr:#x}");
    }
}

#[test]
fn the_map_of_an_overwrite_and_of_a_move() {
    let mut migration = example(Chip::Esp32s3).unwrap();
    let map = migration.mcuboot.as_mut().unwrap();
    (map.swap, map.scratch) = (SwapKind::Overwrite, None);
    let map = reported(&migration).flash_map.unwrap();
    assert_eq!(at(&map, 0x1_0000)[2], "primary: app_upd");
    assert_eq!(at(&map, 0x8_0000)[2], "primary: old data");
    assert_eq!(at(&map, 0x11_0000)[2], "secondary: app_upd, used up");

    migration.mcuboot.as_mut().unwrap().swap = SwapKind::Move;
    let map = reported(&migration).flash_map.unwrap();
    assert_eq!(at(&map, 0x1_0000), ["factory: migrator", "factory: app_upd", "primary: app_upd"]);
    let copy = ["ota_0", "ota_0: migrator's copy", "secondary: migrator's copy"];
    assert_eq!(at(&map, 0x11_0000), copy);
}

/// The flash map shows what the simulated flash contains.
#[test]
fn the_map_agrees_with_the_device() {
    let migration = example(Chip::Esp32s3).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    let dump = scenario.flash.to_bytes();
    let found = facts::read_flash(migration.chip, &dump, None, Some("factory")).unwrap();
    let map = report(&migration, &found, Some(&dump)).flash_map.unwrap();
    let at_commit = run.at_commit.unwrap();
    for row in &map.rows {
        let region = region(row.region.offset, row.region.size);
        let (before, then, after) =
            (run.before.bytes(region), at_commit.bytes(region), run.after.bytes(region));
        if !row.at_commit.contains("maybe") {
            assert_eq!(before == then, row.before == row.at_commit, "{row:?}");
        }
        if row.at_commit == row.after {
            assert!(then == after, "{row:?}");
        }
        let was_in_primary = || run.before.bytes(super::tests::region(0x1_0000, row.region.size));
        match (row.at_commit.as_str(), row.after.as_str()) {
            ("factory: erased", _) => assert!(is_blank(&at_commit.bytes(region.suffix(0x1830)))),
            (_, "primary: migrator") => assert!(before == after, "{row:?}"),
            (_, "secondary: migrator") => assert!(was_in_primary() == after, "{row:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_window_beside_a_sector_in_use_is_longer() {
    let migration = example(Chip::Esp32).unwrap();
    let window = reported(&migration).commit_window.unwrap();
    assert_eq!((window.typ_ms, window.typ_ms_otherwise), (162.8, Some(357.8)));
    let unused = window.assumed_blank.unwrap();
    assert_eq!((unused.offset, unused.size), (0, 0x1000));

    let mut dump = Scenario::synthetic(&migration).unwrap().flash.to_bytes();
    for (byte, typ_ms, erases) in [(0xff, 162.8, 1), (0, 357.8, 7)] {
        dump[0x80] = byte;
        let found = facts::read_flash(migration.chip, &dump, None, None).unwrap();
        let report = report(&migration, &found, Some(&dump));
        let window = report.commit_window.unwrap();
        assert_eq!((window.typ_ms, window.erase_ops), (typ_ms, erases));
        assert_eq!(window.assumed_blank, None);
        // The step says the same, and the sum includes it.
        let commit = report.steps.iter().find(|step| step.action == "commit").unwrap();
        assert_eq!(commit.cost.typ_ms, typ_ms);
        let sum: f64 = report.steps.iter().map(|step| step.cost.typ_ms).sum();
        let checkpoints = report.stages[0].checkpoints.typ_ms;
        assert!((report.cost.unwrap().typ_ms - sum - checkpoints).abs() < 1e-6);
    }
    // A chip whose bootloader is at 0 has no such sector.
    let window = reported(&example(Chip::Esp32s3).unwrap()).commit_window.unwrap();
    assert_eq!(window.assumed_blank, None);
}

/// A bootloader that covers the partition table and the start of NVS: refused with both names, or,
/// if allowed, listed as overwriting both in the commit.
#[test]
fn what_is_given_up_is_named() {
    let mut migration = example(Chip::Esp32s3).unwrap();
    let size = esp_idf_format::image::FlashSize::Mb4;
    let bytes = device_sim::synthetic::bootloader(migration.chip, size, 39_000, 1).unwrap();
    let len_bytes = u32::try_from(bytes.len()).unwrap();
    assert!((0x9001..0xa000).contains(&len_bytes));
    let bootloader = &mut migration.artifacts[1];
    let content = classify(&bytes, Role::Bootloader, migration.mcuboot.as_ref()).unwrap();
    (bootloader.bytes, bootloader.content) = (Some(bytes), Some(content));
    let refused = reported(&migration);
    assert_eq!(refused.reasons.iter().filter(|reason| reason.code == "over-kept").count(), 2);
    assert_eq!(refused.given_up, []);

    migration.allow_overwrite = vec!["partition-table".to_owned(), "nvs".to_owned()];
    let report = reported(&migration);
    let found: Vec<(&str, u32, bool)> =
        report.given_up.iter().map(|g| (g.what.as_str(), g.region.offset, g.in_commit)).collect();
    assert_eq!(found, [("partition-table", 0x8000, true), ("nvs", 0x9000, true)]);
    assert_eq!(report.given_up[1].region.size, len_bytes - 0x9000);
    let text = report.to_string();
    assert!(
        text.contains("overwritten    partition-table in 0x8000..0x8c00, in the commit"),
        "{text}"
    );
}
