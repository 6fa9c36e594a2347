//! Dumps of devices before their update: what is planned for a device is what happens to it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::cell::RefCell;

use bootswap_migration::content::classify;
use bootswap_migration::facts::{Delivered, deliver};
use bootswap_migration::plan::stages;
use bootswap_migration::{OwnedMigration, SentImage};
use bootswap_plan::{Reason, Role};
use bootswap_serve::{Files, Server, ServerConfig};
use bootswap_sim::{
    OriginServer, Run, RunOutcome, Scenario, Settings, Until, Unwatched, example, run,
};
use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use esp_idf_format::partition::{Partition, PartitionType, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;
use proptest::prelude::*;
use support::resign;

const CHIP: Chip = Chip::Esp32c3;
/// Bytes of a sector.
const SECTOR: u32 = 0x1000;

/// A device, and the migration for it.
#[derive(Clone, Debug)]
struct Device {
    partitions: Vec<Partition>,
    otadata: [Option<OtaEntry>; 2],
    /// Which app partitions have an app.
    apps: Vec<bool>,
    /// Bytes of the migrator; `None` for a stand-in.
    migrator_len_bytes: Option<u32>,
    primary: usize,
    secondary: usize,
    slot_sectors: u32,
    swap: SwapKind,
}

fn label(text: &str) -> FixedText<16> {
    FixedText::new(text).unwrap()
}

/// Apps of these sizes in 64 KiB, one after the other, the first of them perhaps a factory app.
fn partitions(sizes: &[u32], factory: bool, otadata: bool, storage: bool) -> Vec<Partition> {
    let partition = |name: &str, kind, subtype, start, len_bytes| Partition {
        label: label(name),
        kind,
        subtype,
        region: Region::clamped(FlashAddr(start), len_bytes),
        flags: 0,
    };
    let mut all = vec![partition("nvs", PartitionType::Data, subtype::NVS, 0x9000, 0x4000)];
    if otadata {
        all.push(partition("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000));
    }
    let (mut at, mut index) = (0x1_0000, 0);
    for (number, size) in sizes.iter().enumerate() {
        let len_bytes = size * 0x1_0000;
        if factory && number == 0 {
            all.push(partition("factory", PartitionType::App, subtype::FACTORY, at, len_bytes));
        } else {
            let name = format!("app{index}");
            all.push(partition(&name, PartitionType::App, subtype::OTA_0 + index, at, len_bytes));
            index += 1;
        }
        at += len_bytes;
    }
    if storage {
        all.push(partition("storage", PartitionType::Data, 0x82, at, 0x2_0000));
    }
    all
}

fn devices() -> impl Strategy<Value = Device> {
    let sizes = prop::collection::vec(prop_oneof![2u32..6, Just(12), Just(16), Just(20)], 1..4);
    let entry = prop::option::weighted(
        0.6,
        (1u32..6, 0u32..6).prop_map(|(seq, state)| {
            OtaEntry::new(seq, OtaState::from_raw(if state == 5 { u32::MAX } else { state }))
        }),
    );
    let table = (sizes, any::<bool>(), prop::bool::weighted(0.9), any::<bool>());
    let migrator = prop::option::weighted(0.7, 0x2_0000u32..0x11_0000);
    let swap = prop::sample::select(SwapKind::ALL.to_vec());
    let rest = (0usize..3, 0usize..3, 4u32..256, swap);
    let apps = prop::collection::vec(prop::bool::weighted(0.8), 4);
    (table, entry.clone(), entry, apps, migrator, rest).prop_map(
        |((sizes, factory, otadata, storage), a, b, apps, migrator_len_bytes, rest)| {
            let (primary, secondary, slot_sectors, swap) = rest;
            let partitions = partitions(&sizes, factory, otadata, storage);
            let otadata = if otadata { [a, b] } else { [None; 2] };
            Device {
                partitions,
                otadata,
                apps,
                migrator_len_bytes,
                primary,
                secondary,
                slot_sectors,
                swap,
            }
        },
    )
}

impl Device {
    fn app_partitions(&self) -> Vec<Partition> {
        self.partitions.iter().filter(|p| p.is_app()).copied().collect()
    }

    fn dump(&self) -> Vec<u8> {
        let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb8, 0x5000, 3).unwrap();
        let mut builder = FlashBuilder::new(CHIP, FlashSize::Mb8)
            .partitions(&self.partitions)
            .bootloader(&bootloader)
            .old_data(OldData::Noise { seed: 5 });
        let has_otadata = self.partitions.iter().any(Partition::is_otadata);
        if has_otadata {
            builder = builder.otadata(self.otadata);
        }
        let old = synthetic::app(CHIP, "old", "1.0", 0x1_8000, 4).unwrap();
        let apps = self.app_partitions();
        // One of them has an app, or nothing would run.
        for (index, partition) in apps.iter().enumerate() {
            if index == 0 || self.apps.get(index) == Some(&true) {
                builder = builder.app(partition.label.as_str().unwrap(), &old);
            }
        }
        builder.build().unwrap().to_bytes()
    }

    /// The example with slots where the device has app partitions, as far as possible.
    fn migration(&self) -> OwnedMigration {
        let mut migration = example(CHIP).unwrap();
        migration.partition_table = None;
        migration.running = Some("a label that no dump has".to_owned());
        let apps = self.app_partitions();
        let end = self.partitions.iter().map(|p| p.region.end()).max().unwrap();
        let place = |index: usize| apps.get(index).map_or(end, |p| p.region.start());
        let len_bytes = self.slot_sectors * SECTOR;
        // For all of the flash.
        migration.flash_len_bytes = Some(FlashSize::Mb8.bytes());
        let bytes = migration.artifacts[1].bytes.as_mut().unwrap();
        bytes[3] = (bytes[3] & 0x0f) | (FlashSize::Mb8.raw() << 4);
        esp_idf_format::image::update_checksums(bytes).unwrap();
        let content = classify(bytes, Role::Bootloader, migration.mcuboot.as_ref()).unwrap();
        migration.artifacts[1].content = Some(content);
        let map = migration.mcuboot.as_mut().unwrap();
        map.primary = Region::clamped(place(self.primary), len_bytes);
        map.secondary = Region::clamped(place(self.secondary), len_bytes);
        map.swap = self.swap;
        let scratch = Region::clamped(FlashAddr(0x60_0000), 0x1_0000);
        map.scratch = (self.swap == SwapKind::Scratch).then_some(scratch);
        if len_bytes >= 0x4_0000 {
            resign(&mut migration, Padding::Confirmed);
        }
        migration
    }

    fn sent(&self, migration: &OwnedMigration) -> SentImage {
        match self.migrator_len_bytes {
            Some(len_bytes) => {
                let image = synthetic::app(CHIP, "migrator", "2.0", len_bytes, 9).unwrap();
                SentImage::packed(CHIP, &image).unwrap()
            }
            None => SentImage::assumed(migration).unwrap(),
        }
    }
}

fn codes<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> Vec<&'static str> {
    reasons.into_iter().map(Reason::code).collect()
}

fn simulated(migration: &OwnedMigration, dump: &[u8], delivered: Delivered) -> Run {
    let scenario = Scenario::delivered(migration, dump, delivered).unwrap();
    let origin = OriginServer::open(migration, Vec::new(), None).unwrap();
    run(&scenario, &origin, Settings::new(Until::Boot), &RefCell::new(Unwatched))
}

/// The plan, and what happens to the device, from each partition that is asked for.
fn assert_agreed(device: &Device, running: Option<&str>) -> (usize, usize) {
    let (dump, migration) = (device.dump(), device.migration());
    let (mut planned, mut refused) = (0, 0);
    let delivered = deliver(CHIP, &dump, None, running, &device.sent(&migration));
    for delivered in delivered.unwrap_or_default() {
        let at = delivered.partition.label;
        let plan = migration.with(|lent| stages(lent, delivered.found.facts.lend()).err());
        let run = simulated(&migration, &dump, delivered);
        let Run { outcome, reasons, .. } = &run;
        match plan {
            None => {
                planned += 1;
                let target = matches!(outcome, RunOutcome::TargetRunning { .. });
                assert!(target, "planned from {at}, and {outcome} {:?}", codes(reasons));
            }
            Some(against) => {
                refused += 1;
                assert_eq!(*outcome, RunOutcome::Refused, "{at}: {:?}", codes(&against));
                assert_eq!(codes(reasons), codes(&against), "from {at}");
            }
        }
    }
    (planned, refused)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    })]

    /// Plan and simulation of the same dump never disagree, whatever table, otadata, migrator and
    /// partition.
    #[test]
    fn plan_and_simulation_never_disagree(
        device in devices(),
        named in prop::option::of(0usize..3),
    ) {
        let apps = device.app_partitions();
        let label = named.and_then(|index| apps.get(index)).map(|p| p.label.to_string());
        assert_agreed(&device, label.as_deref());
    }
}

fn device_of_the_example() -> Device {
    Device {
        partitions: synthetic::example_partitions(),
        otadata: [None; 2],
        apps: vec![true; 3],
        migrator_len_bytes: None,
        primary: 0,
        secondary: 1,
        slot_sectors: 256,
        swap: SwapKind::Scratch,
    }
}

/// Both verdicts occur, so the property above is not only tested with refusals.
#[test]
fn devices_like_the_example_are_planned_and_others_refused() {
    assert_eq!(assert_agreed(&device_of_the_example(), None), (3, 0));
    let moved = Device { swap: SwapKind::Move, ..device_of_the_example() };
    assert_eq!(assert_agreed(&moved, None), (3, 0));
    let same_slot = Device { secondary: 0, ..device_of_the_example() };
    assert_eq!(assert_agreed(&same_slot, None), (0, 3));
    let large = Device { migrator_len_bytes: Some(0x10_1000), ..device_of_the_example() };
    assert_eq!(assert_agreed(&large, Some("ota_1")), (0, 1));
}

/// Whatever otadata selects, the migrator is started where it was installed.
#[test]
fn a_migrator_is_started_whatever_otadata_selects() {
    for seq in 1..4 {
        let otadata = [Some(OtaEntry::new(seq, OtaState::Valid)), None];
        let device = Device { otadata, ..device_of_the_example() };
        for label in ["factory", "ota_0", "ota_1"] {
            assert_eq!(assert_agreed(&device, Some(label)), (1, 0), "{label}, otadata {seq}");
        }
    }
}

/// What a made-up device has before its update is no migrator, and never runs as one.
#[test]
fn the_old_app_of_a_made_up_device_is_no_migrator() {
    let migration = example(CHIP).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let old = scenario.old.to_bytes();
    let image = esp_idf_format::image::verify(&old[0x1_0000..0x11_0000]).unwrap();
    assert_eq!(image.app_desc.unwrap().project_name.as_str(), Some("old-firmware"));
    let sent = SentImage::assumed(&migration).unwrap();
    for delivered in deliver(CHIP, &old, None, None, &sent).unwrap() {
        let label = delivered.partition.label;
        let run = simulated(&migration, &old, delivered);
        assert!(
            matches!(run.outcome, RunOutcome::TargetRunning { .. }),
            "{label}: {}",
            run.outcome
        );
    }
}

/// With nothing to go back to, a device without its files stays in the migrator.
#[test]
fn a_device_without_a_way_back_is_stuck() {
    let migration = example(CHIP).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let gone = vec!["status=404".parse().unwrap()];
    let origin = OriginServer::open(&migration, gone, None).unwrap();
    let run = run(&scenario, &origin, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    let RunOutcome::Stuck { why } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(why.contains("given up after 8 attempts"), "{why}");
    assert!(run.outcome.to_string().starts_with("stuck in the migrator"), "{}", run.outcome);
}

/// Files that only the servers have: what was fetched is what the device is judged by.
#[test]
fn what_is_fetched_from_real_servers_is_judged() {
    let mut migration = example(CHIP).unwrap();
    let files = migration
        .artifacts
        .iter()
        .map(|artifact| (format!("/{}.bin", artifact.name), artifact.bytes.clone().unwrap()));
    let files = Files::memory(files.collect::<Vec<_>>());
    let server = Server::start(ServerConfig::on_loopback(files)).unwrap();
    for artifact in &mut migration.artifacts {
        artifact.url = Some(format!("http://{}/{}.bin", server.addr(), artifact.name));
        (artifact.bytes, artifact.content) = (None, None);
    }
    let online = |migration: &OwnedMigration| {
        let scenario = Scenario::synthetic(migration).unwrap();
        let origin = OriginServer::online(migration);
        run(&scenario, &origin, Settings::new(Until::Boot), &RefCell::new(Unwatched))
    };
    let ran = online(&migration);
    assert!(matches!(ran.outcome, RunOutcome::TargetRunning { .. }), "{}", ran.outcome);
    // A file that is not a bootloader is never written to the bootloader's place.
    let app = migration.artifact(Role::Application).unwrap().url.clone();
    migration.artifacts[1].url = app;
    let ran = online(&migration);
    assert!(matches!(ran.outcome, RunOutcome::Stuck { .. }), "{}", ran.outcome);
}
