//! Sweeps over a small device.

mod good;
mod hosted;
mod planted;

use std::num::NonZeroUsize;

use bootswap_config::LogLevel;
use bootswap_plan::{CommitWay, Reasons, Role};
use device_sim::{Board, EspIdfConfig, FlashBuilder, McubootConfig, OldData, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{Partition, TABLE_ADDR, TABLE_LEN_BYTES, emit};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};

use super::report::PowerCutsReport;
use super::*;
use crate::Until;
use crate::migrator::MigratorFactory;
use crate::{Scenario, Settings};
use bootswap_migration::content::classify;
use bootswap_migration::{
    OwnedArtifact, OwnedIdentity, OwnedMap, OwnedMigration, OwnedNetwork, OwnedStaging,
};

const SLOT_BYTES: u32 = 0x2_0000;
const NVS: FlashAddr = FlashAddr(0x9000);

fn slot(start: u32) -> Region {
    Region::clamped(FlashAddr(start), SLOT_BYTES)
}

/// The example with everything an eighth of its size.
fn small() -> (OwnedMigration, Scenario) {
    small_by(CommitWay::Replace)
}

fn small_by(commit: CommitWay) -> (OwnedMigration, Scenario) {
    let chip = Chip::Esp32c3;
    let mut partitions: Vec<Partition> = synthetic::example_partitions();
    for (partition, start) in partitions.iter_mut().skip(3).zip([0x1_0000, 0x3_0000, 0x5_0000]) {
        partition.region = slot(start);
    }
    let scratch = if commit == CommitWay::Hosted { 0x6_0000 } else { 0x5_0000 };
    let map = OwnedMap {
        primary: slot(0x1_0000),
        secondary: slot(0x3_0000),
        scratch: Some(Region::clamped(FlashAddr(scratch), 0x2000)),
        swap: SwapKind::Scratch,
        ..OwnedMap::ESPRESSIF
    };
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_BYTES, SwapKind::Scratch)
    };
    let app = sign(&synthetic::target_payload(chip, 9000, 1), &options).unwrap();
    let [old, new] =
        [2, 3].map(|seed| synthetic::bootloader(chip, FlashSize::Mb1, 5000, seed).unwrap());
    let bootloader = match commit {
        CommitWay::Replace => new.clone(),
        CommitWay::Hosted => crate::example::carrier(chip, new.clone()).unwrap(),
    };
    let mut table = vec![0xff; TABLE_LEN_BYTES as usize];
    emit(&partitions, &mut table).unwrap();
    let artifact = |name: &str, role, bytes: Vec<u8>| OwnedArtifact {
        name: name.to_owned(),
        role,
        url: Some(format!("https://example.org/{name}.bin")),
        content: Some(classify(&bytes, role, Some(&map)).unwrap()),
        bytes: Some(bytes),
        dest: None,
        region_len_bytes: None,
        confirm: false,
    };
    let artifacts = vec![
        artifact("app", Role::Application, app),
        artifact("bootloader", Role::Bootloader, bootloader.clone()),
    ];
    let config = McubootConfig {
        primary: map.primary,
        secondary: map.secondary,
        scratch: map.scratch,
        ..McubootConfig::example()
    };
    let board = Board::new(chip).esp_idf(&old, EspIdfConfig::default()).unwrap();
    let board = board.mcuboot(&new, config).unwrap();
    let board = match commit {
        CommitWay::Replace => board,
        CommitWay::Hosted => board.loader(&bootloader).unwrap(),
    };
    let migrator = synthetic::app(chip, "bootswap", "1.0", 12_000, 4).unwrap();
    let flash = FlashBuilder::new(chip, FlashSize::Mb1)
        .partitions(&partitions)
        .bootloader(&old)
        .old_data(OldData::Noise { seed: 5 })
        .app("factory", &migrator)
        .data(NVS, b"what the owner set");
    let flash = flash.build().unwrap();
    let scenario = Scenario {
        old: flash.clone(),
        flash,
        board,
        running: partitions[3],
        table_addr: TABLE_ADDR,
        migrator: esp_idf_format::image::verify(&migrator).unwrap(),
        assumed: Vec::new(),
        undeliverable: Reasons::new(),
    };
    let migration = OwnedMigration {
        chip,
        flash_len_bytes: Some(FlashSize::Mb1.bytes()),
        table_addr: None,
        partition_table: Some(table),
        running: None,
        mcuboot: Some(map),
        artifacts,
        commit,
        staging: OwnedStaging::Auto,
        allow_test_image: false,
        allow_overwrite: Vec::new(),
        network: OwnedNetwork::default(),
        log_level: LogLevel::default(),
        against: Vec::new(),
        assumed: Vec::new(),
        identity: OwnedIdentity::default(),
    };
    (migration, scenario)
}

fn sweeps() -> Sweeps {
    let power_cuts = PowerCuts { amount: Amount::None, torn: true, twice: false, seed: 1 };
    let (flash_faults, network_faults) = (Amount::None, Amount::None);
    Sweeps { power_cuts, flash_faults, network_faults, pool: Pool::new(NonZeroUsize::new(2)) }
}

/// Lives once through the migration of the small device with that firmware.
fn on_small_device<R>(
    firmware: &MigratorFactory<'_>,
    use_it: impl FnOnce(&SweepContext<'_>, &Run) -> R,
) -> R {
    on_device(small(), firmware, use_it)
}

fn on_device<R>(
    (migration, scenario): (OwnedMigration, Scenario),
    firmware: &MigratorFactory<'_>,
    use_it: impl FnOnce(&SweepContext<'_>, &Run) -> R,
) -> R {
    let migration = crate::origin::over_http(&migration);
    migration.with(|lent| {
        let context = SweepContext::new(&scenario, &migration, lent, Settings::new(Until::Boot));
        let context = SweepContext { firmware, ..context };
        let flash = scenario.flash.clone();
        let run = Worker::new(&context).unwrap().record(flash, &Hazards::default()).unwrap();
        assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
        use_it(&context, &run)
    })
}

fn power_cuts(firmware: &MigratorFactory<'_>, power_cuts: PowerCuts) -> PowerCutsReport {
    let sweeps = Sweeps { power_cuts, ..sweeps() };
    on_small_device(firmware, |context, run| sweeps.run(context, run).unwrap().power_cuts.unwrap())
}

const ALL: PowerCuts = PowerCuts { amount: Amount::All, torn: true, twice: false, seed: 1 };
