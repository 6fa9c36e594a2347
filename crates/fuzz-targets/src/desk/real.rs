//! Devices with a table that others made, for a flash map that others made.

use bootswap_plan::McubootMap;
use device_sim::{Board, EspIdfConfig, FlashBuilder, McubootConfig, OldData, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{Partition, TABLE_ADDR};
use flash_region::Region;
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::trailer::TrailerConfig;

use super::device::Device;
use super::wanted::Wanted;
use super::{VerdictKind, judged};

/// A device and what it migrates to.
#[derive(Clone, Copy, Debug)]
pub struct RealDevice<'r> {
    /// Its chip.
    pub chip: Chip,
    /// Its flash.
    pub flash_size: FlashSize,
    /// Its table.
    pub partitions: &'r [Partition],
    /// Label of the partition that the migrator comes to.
    pub running: &'r str,
    /// Bytes of the migrator.
    pub migrator_len_bytes: u32,
    /// The target bootloader's map.
    pub map: McubootMap<'r>,
    /// Whether the owner gives up all data partitions and the table.
    pub gives_up: bool,
}

/// The verdict of desk and device on the migration of that device, which agree; `None` if there is
/// no such device.
#[must_use]
pub fn verdict_on(real: &RealDevice<'_>) -> Option<VerdictKind> {
    let RealDevice { chip, flash_size, partitions, map, .. } = *real;
    let truth = McubootConfig {
        primary: map.primary,
        secondary: map.secondary,
        scratch: map.scratch,
        swap: map.swap,
        max_sectors: map.max_sectors,
        overwrites_fast: map.overwrites_fast,
        ..McubootConfig::example()
    };
    let old = synthetic::bootloader(chip, flash_size, 0x5000, 3).ok()?;
    let config = EspIdfConfig { rollback: true, table_addr: TABLE_ADDR };
    let board = Board::new(chip).esp_idf(&old, config).ok()?;
    let mut builder = FlashBuilder::new(chip, flash_size)
        .partitions(partitions)
        .bootloader(&old)
        .old_data(OldData::Noise { seed: 5 });
    for partition in partitions.iter().filter(|p| p.is_app() && p.is_aligned()) {
        let app = synthetic::app(chip, "old", "1.0", 0x8000, 4).ok()?;
        builder = builder.app(partition.label.as_str()?, &app);
    }
    let dump = builder.build().ok()?.to_bytes();
    let partitions = partitions.to_vec();
    let device = Device { chip, flash_size, table_addr: TABLE_ADDR, partitions, dump, board };

    let bootloader = synthetic::mcuboot(chip, flash_size, 0x5000, 13, &truth).ok()?;
    let trailer =
        TrailerConfig { max_sectors: map.max_sectors, ..TrailerConfig::espressif(map.swap) };
    let options =
        SignOptions { trailer, ..SignOptions::espressif(map.primary.len_bytes(), map.swap) };
    let app = sign(&synthetic::target_payload(chip, 0x8000, 1), &options).ok()?;
    let board = device.board.clone().mcuboot(&bootloader, truth.clone()).ok()?;
    let files = vec![("app.bin".to_owned(), app), ("mcuboot.bin".to_owned(), bootloader)];
    let wanted = Wanted { text: text(real), files, board, truth: Some(truth), embedded: false };
    let named = Some(real.running);
    judged(&device, &wanted, real.migrator_len_bytes, named).first().copied()
}

/// The migration as its owner writes it.
fn text(real: &RealDevice<'_>) -> String {
    const SERVER: &str = "http://192.168.100.101:8070";
    let RealDevice { chip, flash_size, map, .. } = real;
    let area = |name: &str, region: Region| {
        let (start, len_bytes) = (region.start().get(), region.len_bytes());
        format!("{name} = {{ offset = {start:#x}, size = {len_bytes:#x} }}")
    };
    let labels = real.partitions.iter().filter(|p| !p.is_app()).map(|p| p.label.to_string());
    let mut labels: Vec<String> = labels.collect();
    labels.push("partition-table".to_owned());
    let given_up = if real.gives_up { labels } else { Vec::new() };
    let mut lines = vec![
        format!("chip = \"{chip}\""),
        format!("flash_size = \"{flash_size}\""),
        "[mcuboot]".to_owned(),
        area("primary", map.primary),
        area("secondary", map.secondary),
        format!("swap = \"{}\"", map.swap.name()),
        format!("max_sectors = {}", map.max_sectors),
    ];
    lines.extend(map.scratch.map(|scratch| area("scratch", scratch)));
    for (table, file) in [("app", "app.bin"), ("bootloader", "mcuboot.bin")] {
        lines.push(format!("[{table}]\nfile = \"{file}\"\nurl = \"{SERVER}/{file}\""));
        if table == "app" {
            lines.push("confirm = true".to_owned());
        }
    }
    lines.push(format!("[allow]\noverwrite = {given_up:?}"));
    lines.join("\n")
}
