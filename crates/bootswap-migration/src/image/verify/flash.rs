//! Checks of a partition table, of otadata and of a whole flash.

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::OtaData;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use mcuboot_format::validate;

use super::super::kind::{FileKind, bootloader, bootloader_in};
use super::super::mcuboot::ANY_SLOT;
use super::check::Check;
use super::esp::{esp, esp_as_rom};
use crate::facts::{bytes, bytes_from, find_table};

/// A partition table, and whether it fits the flash.
pub(super) fn table(file: &[u8], flash_size: Option<FlashSize>) -> Result<String, String> {
    let table = PartitionTable::parse(file).map_err(|error| error.to_string())?;
    if let Some(size) = flash_size {
        table.check_fits(TABLE_ADDR, size.bytes()).map_err(|error| error.to_string())?;
    }
    let md5 = if table.has_md5() { "its MD5 is right" } else { "it has no MD5" };
    Ok(format!("{} partitions, {md5}", table.len()))
}

/// Checks a partition table in the way in which a bootloader reads it. What only tools would refuse
/// is reported, but is not a failure: the device boots.
fn booted_table(held: &[u8]) -> Result<String, String> {
    let table = PartitionTable::parse_as_bootloader(held).map_err(|error| error.to_string())?;
    let md5 = if table.has_md5() { "its MD5 is right" } else { "it has no MD5" };
    let objections: String =
        table.objections().map(|error| format!("; the bootloader takes it, but {error}")).collect();
    Ok(format!("{} partitions, {md5}{objections}", table.len()))
}

/// Which entry of otadata the bootloader uses.
pub(super) fn otadata(file: &[u8]) -> Result<String, String> {
    let (first, second) = file.split_at_checked(SECTOR_BYTES as usize).unwrap_or((file, &[]));
    // The number of slots decides which slot is selected, not which entry is valid.
    match OtaData::parse(first, second).select(1) {
        Some(selection) => Ok(format!("entry {} is in force", selection.entry_index)),
        None => Ok("no entry is in force, the factory app is started".to_owned()),
    }
}

/// Checks what a device with this flash needs to boot: bootloader, table, and an app.
pub(super) fn dump(flash: &[u8], chip: Option<Chip>) -> Vec<Check> {
    let Parts { mut checks, partitions } = boot_parts(flash, chip);
    let flash_end = FlashAddr(u32::try_from(flash.len()).unwrap_or(u32::MAX));
    if let Some(partition) = partitions.iter().find(|p| p.region.end() > flash_end) {
        let cut = format!(
            "the dump ends at {flash_end}, before {partition} does: it is cut off, or the flash is \
             smaller than its table says"
        );
        checks.push(Check::new("size", Err(cut)));
    }
    let apps: Vec<Check> = apps(&partitions).filter_map(|p| app(p, flash)).collect();
    // Remains of an interrupted update are not a failure as long as an app can be started.
    if apps.iter().any(|app| app.good) {
        checks.extend(apps.into_iter().filter(|app| app.good));
    } else {
        checks.extend(apps_or_none(apps));
    }
    checks
}

/// Checks a factory image, which a factory has written completely: nothing in it may be damaged,
/// and it must end where one of its parts ends.
pub(super) fn factory(flash: &[u8], chip: Option<Chip>) -> Vec<Check> {
    let Parts { mut checks, partitions } = boot_parts(flash, chip);
    let held = apps(&partitions).filter(|p| !is_blank(bytes(flash, p.region)));
    let apps: Vec<Check> = held
        .map(|p| {
            app(p, flash).unwrap_or_else(|| {
                let place = format!("{} at {}", p.label, p.region.start());
                Check::new("app", Err(format!("{place}: is neither blank nor an image")))
            })
        })
        .collect();
    checks.extend(apps_or_none(apps));
    let end = FlashAddr(u32::try_from(flash.len()).unwrap_or(u32::MAX));
    // An app's image shows whether the app is complete.
    let inside = |p: &&Partition| p.region.start() < end && end < p.region.end() && !p.is_app();
    if let Some(partition) = partitions.iter().find(inside) {
        let cut = format!("the file ends at {end}, inside of {partition}: it is cut off");
        checks.push(Check::new("size", Err(cut)));
    }
    checks
}

/// The bootloader that starts an app, and the partitions that it finds.
struct Parts {
    checks: Vec<Check>,
    partitions: Vec<Partition>,
}

fn boot_parts(flash: &[u8], chip: Option<Chip>) -> Parts {
    let found = bootloader(flash);
    let at = |chip: Chip| bytes_from(flash, chip.bootloader_addr());
    let boot = match (chip, found) {
        (None, None) => Err("no complete bootloader at 0x0 or 0x1000".to_owned()),
        (None, Some(chip)) => esp_as_rom(at(chip), None),
        (Some(chip), _) => esp_as_rom(at(chip), Some(chip))
            .map_err(|error| format!("at {}: {error}", chip.bootloader_addr())),
    };
    let image = chip.or(found).and_then(|chip| Some((chip, bootloader_in(flash, chip)?)));
    let table_addr = image.map_or(TABLE_ADDR, |(chip, image)| {
        find_table(chip, flash, image.total_len_bytes, None).addr
    });
    let raw_table = bytes(flash, Region::clamped(table_addr, TABLE_LEN_BYTES));
    let sound = booted_table(raw_table).map_err(|error| format!("at {table_addr}: {error}"));
    let checks = vec![Check::new("bootloader", boot), Check::new("partition table", sound)];
    let partitions = PartitionTable::parse_as_bootloader(raw_table).into_iter().flatten();
    Parts { checks, partitions: partitions.collect() }
}

fn apps(partitions: &[Partition]) -> impl Iterator<Item = &Partition> {
    partitions.iter().filter(|p| p.is_app())
}

fn apps_or_none(apps: Vec<Check>) -> Vec<Check> {
    if apps.is_empty() {
        return vec![Check::new("app", Err("no app partition holds an image".to_owned()))];
    }
    apps
}

/// The image in an app partition; `None` if it does not begin like one.
fn app(partition: &Partition, flash: &[u8]) -> Option<Check> {
    let held = bytes(flash, partition.region);
    let result = match FileKind::of_partition(held)? {
        FileKind::EspImage => esp(held, None),
        FileKind::McubootImage => validate(held, ANY_SLOT, None)
            .map(|image| format!("MCUboot image, version {}", image.header.version))
            .map_err(|error| error.to_string()),
        _ => return None,
    };
    let place = |message| format!("{} at {}: {message}", partition.label, partition.region.start());
    Some(Check::new("app", result.map(place).map_err(place)))
}
