//! The example: what Espressif's "boot swap download" migrates, with generated files of the same
//! sizes.

use std::fmt;

use bootswap_config::LogLevel;
use bootswap_migration::carrier::{
    CarrierError, CarrierOptions, LoaderImage, TargetBootloader, carrier as compose,
};
use bootswap_migration::content::classify;
use bootswap_migration::example::MIGRATION;
use bootswap_migration::{
    OwnedArtifact, OwnedIdentity, OwnedMap, OwnedMigration, OwnedNetwork, OwnedStaging,
};
use bootswap_plan::{CommitWay, Role};
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::{ImageVersion, SwapKind};

use nor_sim::NorMemory;

use crate::svg::{self, Picture};
use crate::{Run, Scenario};

/// Bytes of image in the application of the C example, of which the rest of 1 MiB is padding.
pub(crate) const APP_LEN_BYTES: u32 = 149_824;
/// Bytes of the bootloader of the C example.
const BOOTLOADER_LEN_BYTES: u32 = 27_376;
/// Bytes of it that are not code: header, two segment headers, checksum with its padding, SHA-256.
const BOOTLOADER_OVERHEAD_BYTES: u32 = 24 + 2 * 8 + 8 + 32;
/// Bytes of the bootloader's region in the C example's configuration.
const BOOTLOADER_REGION_BYTES: u32 = 0xf000;
/// Flash of the C example's device.
const FLASH_LEN_BYTES: u32 = 4 * 1024 * 1024;
const SEED: u64 = 0x7a26;

/// Why the example cannot be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExampleError {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

impl fmt::Display for ExampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the example's {} cannot be made: {}", self.what, self.why)
    }
}

impl std::error::Error for ExampleError {}

/// The C example's migration, with a generated application and bootloader of its sizes.
///
/// # Errors
///
/// [`ExampleError`] if one of them cannot be made.
pub fn example(chip: Chip) -> Result<OwnedMigration, ExampleError> {
    example_by(chip, CommitWay::Replace)
}

/// The same, with devices that come to boot the target in that way. With a carrier, the scratch
/// area is further up, so that the start of `ota_1` is free for it; its loader is not the real one.
///
/// # Errors
///
/// As [`example`], and if there is no loader for the chip.
pub fn example_by(chip: Chip, commit: CommitWay) -> Result<OwnedMigration, ExampleError> {
    let broken = |what, error: &dyn fmt::Display| ExampleError { what, why: error.to_string() };
    let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
    let scratch = Region::clamped(FlashAddr(scratch_start(commit)), 0x4_0000);
    let options = SignOptions {
        version: ImageVersion::new(12, 10, 0),
        padding: Padding::Confirmed,
        security_counter: Some(0),
        ..SignOptions::espressif(0x10_0000, SwapKind::Scratch)
    };
    let app = sign(&unsigned_app(chip), &options).map_err(|error| broken("application", &error))?;
    let bootloader = synthetic::mcuboot(
        chip,
        FlashSize::Mb4,
        BOOTLOADER_LEN_BYTES - BOOTLOADER_OVERHEAD_BYTES,
        SEED,
        &McubootConfig { scratch: Some(scratch), ..McubootConfig::example() },
    )
    .map_err(|error| broken("bootloader", &error))?;
    let bootloader = match commit {
        CommitWay::Replace => bootloader,
        CommitWay::Hosted => {
            carrier(chip, bootloader).map_err(|error| broken("carrier", &error))?
        }
    };
    let mut table = vec![flash_region::ERASED; TABLE_LEN_BYTES as usize];
    esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table)
        .map_err(|error| broken("partition table", &error))?;
    let artifact = |name: &str, role, bytes: Vec<u8>, content| OwnedArtifact {
        name: name.to_owned(),
        role,
        // The URL of the C example's lab; the simulator serves it on loopback.
        url: Some(format!("http://192.168.100.101:8070/{name}.bin")),
        bytes: Some(bytes),
        dest: None,
        region_len_bytes: (role == Role::Bootloader).then_some(BOOTLOADER_REGION_BYTES),
        content: Some(content),
        confirm: false,
    };
    let map = OwnedMap {
        primary: slot(0x1_0000),
        secondary: slot(0x11_0000),
        scratch: Some(scratch),
        swap: SwapKind::Scratch,
        ..OwnedMap::ESPRESSIF
    };
    let app_content = classify(&app, Role::Application, Some(&map))
        .map_err(|error| broken("application", &error))?;
    let bootloader_content = classify(&bootloader, Role::Bootloader, Some(&map))
        .map_err(|error| broken("bootloader", &error))?;
    Ok(OwnedMigration {
        table_addr: None,
        chip,
        flash_len_bytes: Some(FLASH_LEN_BYTES),
        partition_table: Some(table),
        running: Some("factory".to_owned()),
        mcuboot: Some(map),
        artifacts: vec![
            artifact("app_upd", Role::Application, app, app_content),
            artifact(bootloader_name(commit), Role::Bootloader, bootloader, bootloader_content),
        ],
        staging: OwnedStaging::Auto,
        commit,
        allow_test_image: false,
        allow_overwrite: Vec::new(),
        network: OwnedNetwork::default(),
        log_level: LogLevel::default(),
        against: Vec::new(),
        assumed: Vec::new(),
        identity: OwnedIdentity::default(),
    })
}

/// Where the scratch area begins: with `ota_1`, as in the C example, unless a carrier is there.
const fn scratch_start(commit: CommitWay) -> u32 {
    match commit {
        CommitWay::Replace => 0x21_0000,
        CommitWay::Hosted => 0x24_0000,
    }
}

const fn bootloader_name(commit: CommitWay) -> &'static str {
    match commit {
        CommitWay::Replace => "mcuboot",
        CommitWay::Hosted => "carrier",
    }
}

/// A carrier with a loader that has a record and no code that does anything: the simulated device
/// knows a loader by its bytes.
pub(crate) fn carrier(chip: Chip, mcuboot: Vec<u8>) -> Result<Vec<u8>, CarrierError> {
    let loader = synthetic::loader(chip).map_err(CarrierError::Build)?;
    let bootloader = TargetBootloader::new(mcuboot, chip)?;
    let loader = LoaderImage::new(&loader, chip)?;
    let otadata = synthetic::example_partitions().iter().find(|p| p.is_otadata()).map(|p| p.region);
    let otadata = otadata.map(Region::start);
    compose(&loader, &bootloader, CarrierOptions { otadata, ..CarrierOptions::default() })
}

/// The application of the example before it is signed.
#[must_use]
pub fn unsigned_app(chip: Chip) -> Vec<u8> {
    synthetic::target_payload(chip, APP_LEN_BYTES, SEED)
}

/// The ESP image at the start of a region, before the run.
#[must_use]
pub fn image_at(run: &Run, region: Region) -> Vec<u8> {
    image_in(&run.before, region)
}

/// The ESP image at the start of a region of that flash.
#[must_use]
pub fn image_in(flash: &NorMemory, region: Region) -> Vec<u8> {
    let mut bytes = flash.bytes(region);
    let len = esp_idf_format::image::verify(&bytes).map_or(0, |info| info.total_len_bytes as usize);
    bytes.truncate(len);
    bytes
}

/// The example as a migration file, which names the partition table in its binary form.
#[must_use]
pub fn toml(chip: Chip, commit: CommitWay) -> String {
    let text = match commit {
        CommitWay::Replace => MIGRATION.to_owned(),
        CommitWay::Hosted => MIGRATION
            .replace(
                "ESP-IDF to MCUboot with",
                "ESP-IDF to MCUboot, started by the old bootloader,",
            )
            .replace("0x210000", &format!("{:#x}", scratch_start(commit)))
            .replace("mcuboot.bin", "carrier.bin")
            .replace("size   = 0xf000\n", "\n[commit]\nhow = \"hosted\"\n"),
    };
    let text = text.replace("\"esp32s3\"", &format!("\"{chip}\""));
    let text = text.replace("partitions.csv", "partitions.bin");
    if chip.has_wifi() { text } else { text.replace("\nurl", "\n# url") }
}

/// The picture of the flash map.
#[must_use]
pub fn picture(migration: &OwnedMigration, scenario: &Scenario, run: &Run) -> String {
    let mut regions = vec![
        ("bootloader".to_owned(), Region::new(FlashAddr::ZERO, TABLE_ADDR).unwrap_or_default()),
        ("table".to_owned(), Region::clamped(TABLE_ADDR, SECTOR_BYTES)),
    ];
    let partitions = synthetic::example_partitions();
    regions.extend(partitions.iter().map(|p| (p.label.to_string(), p.region)));
    let end = partitions.iter().map(|p| p.region.end()).max().unwrap_or_default();
    if let Some(rest) = Region::new(end, FlashAddr(FLASH_LEN_BYTES)) {
        regions.push(("unused".to_owned(), rest));
    }
    let bytes = |role| migration.artifact(role).and_then(|a| a.bytes.clone()).unwrap_or_default();
    let (app, bootloader) = (bytes(Role::Application), bytes(Role::Bootloader));
    // A carrier's app and its second copy are parts of the same file.
    let old_bootloader = image_at(run, migration.chip.bootloader_region());
    let migrator = image_at(run, scenario.running.region);
    let known = [
        (svg::SectorContent::OldBootloader, old_bootloader.as_slice()),
        (svg::SectorContent::Migrator, migrator.as_slice()),
        (svg::SectorContent::Target, app.as_slice()),
        (svg::SectorContent::TargetBootloader, bootloader.as_slice()),
    ];
    let at_commit = run.at_commit.as_ref().unwrap_or(&run.after);
    let states = [("before", &run.before), ("at the commit", at_commit), ("after", &run.after)];
    let title = format!("{}: ESP-IDF to MCUboot, 4 MB of flash", migration.chip);
    Picture { title: &title, regions: &regions, states: &states, known: &known }.draw()
}
