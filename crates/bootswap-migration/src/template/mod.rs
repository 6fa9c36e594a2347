//! Begins a new migration file, from a chip and a partition table.
//!
//! Of all maps that the table has room for, it uses the one that the planner accepts from most of
//! the partitions that the migrator can run from. The first lines of the file list these
//! partitions.

mod fit;
mod found;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::{FlashAddr, Region};

use crate::document::{Document, EditError, KeyPath};
use crate::facts::ASSUMED_FLASH_SIZE;
use crate::fill::{fill_map, map_of, owned_map_of};
use crate::input;
use crate::load::from_text;
use fit::{Fit, example};
use text::{Fitted, Values, text};

/// Why there is no new migration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl TemplateError {
    fn new(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self { message: message.to_string(), help: help.to_string() }
    }

    fn of_path(path: &Path, error: &io::Error) -> Self {
        let message = format_args!("cannot read {}: {error}", path.display());
        Self::new(message, "check the path and its permissions")
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// The text of a migration for devices with that chip and table; `path` is where the file will be.
/// The map that the target's `bootloader` shows is filled in.
///
/// # Errors
///
/// A [`TemplateError`] if the table cannot be read, or has no partition for an app, or if the
/// bootloader is not MCUboot.
pub fn new(
    chip: Chip,
    partitions: &Path,
    bootloader: Option<&Path>,
    path: &Path,
) -> Result<String, TemplateError> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let bootloader = bootloader.map(|file| Bootloader::read(file, dir)).transpose()?;
    let name = relative(partitions, dir)?;
    let quoted = toml_edit::Value::from(name.as_str()).to_string();
    // The table is read by the reader of migrations, so that the messages are the same.
    let probe = format!(
        "chip = \"{chip}\"\npartitions = {quoted}\n\
         [app]\nurl = \"http://192.168.100.101/app_upd.bin\"\ndest = 0x10000\nsize = 0x1000\n\
         [bootloader]\nurl = \"http://192.168.100.101/mcuboot.bin\"\n"
    );
    let read = from_text(&probe, dir)
        .map_err(|problem| TemplateError::new(problem.message, problem.help))?;
    let mut read = read;
    for artifact in &mut read.artifacts {
        // The map says where the application is written.
        artifact.dest = None;
        // Without a radio, everything is embedded in the migrator.
        artifact.url = artifact.url.take().filter(|_| chip.has_wifi());
    }
    let table = read.partition_table.clone().unwrap_or_default();
    let table = PartitionTable::parse_as_bootloader(&table).map_err(|error| {
        TemplateError::new(format_args!("{name}: {error}"), "correct the table")
    })?;
    let all: Vec<Partition> = table.iter().collect();
    let end = all.iter().map(|p| p.region.end()).max().unwrap_or_default();
    // The smallest size that fits the table: a target that was built for less flash than there is
    // runs on every device.
    let sizes = FlashSize::ALL.into_iter().filter(|size| size.bytes() >= end.get());
    let size = sizes.min_by_key(|size| size.bytes()).unwrap_or(ASSUMED_FLASH_SIZE);
    let flash = Region::clamped(FlashAddr::ZERO, size.bytes());
    // The partitions that an update can write the migrator to, the factory partition first.
    let others = all.iter().copied().filter(|p| p.is_app() && !p.is_factory());
    let apps: Vec<Partition> = table.factory().into_iter().chain(others).collect();
    if apps.is_empty() {
        return Err(TemplateError::new(
            format_args!("{name} has no partition for an app"),
            "name the partition table of the devices as they are now, under ESP-IDF",
        ));
    }
    let own = bootloader.as_ref().and_then(|bootloader| owned_map_of(&bootloader.bytes));
    let (fit, verdicts) = found::find(&read, own.as_ref(), &all, &apps, flash);
    let running = verdicts.first().map(|verdict| verdict.label.clone()).unwrap_or_default();
    let mut values = Values::from([
        ("chip", Fitted::Given(format!("\"{chip}\""))),
        ("flash_size", Fitted::Given(format!("\"{size}\""))),
        ("partitions", Fitted::Given(quoted)),
        ("running", Fitted::Given(format!("\"{running}\""))),
        ("mcuboot.swap", Fitted::Given(format!("\"{}\"", fit.swap))),
    ]);
    add_sources(&mut values, chip);
    add_map(&mut values, fit);
    let text = text(chip, &values, &found::said(&verdicts));
    match bootloader {
        Some(bootloader) => bootloader.fill(text),
        None => Ok(text),
    }
}

/// The target's bootloader, whose file shows its map.
struct Bootloader {
    name: String,
    bytes: Vec<u8>,
}

impl Bootloader {
    fn read(file: &Path, dir: &Path) -> Result<Self, TemplateError> {
        let bytes = input::bytes(file).map_err(|error| TemplateError::of_path(file, &error))?;
        if map_of(&bytes).is_empty() {
            return Err(TemplateError::new(
                format_args!("{}: nothing in it says that it is MCUboot", file.display()),
                "name the target's MCUboot; `bootswap image info` shows what a file is",
            ));
        }
        Ok(Self { name: relative(file, dir)?, bytes })
    }

    /// The text with this bootloader and its map.
    fn fill(&self, text: String) -> Result<String, TemplateError> {
        let wrong = |error: EditError| {
            TemplateError::new(error, "fill in the map yourself, from `bootswap image info`")
        };
        let mut document = Document::new(text).map_err(wrong)?;
        let name = toml_edit::Value::from(self.name.as_str()).to_string();
        document.set(&KeyPath::new("bootloader.file", 0), &name).map_err(wrong)?;
        fill_map(&mut document, &self.bytes).map_err(wrong)?;
        Ok(document.text().to_owned())
    }
}

/// Where application and bootloader come from: over the network, or embedded in the migrator if
/// there is none.
fn add_sources(values: &mut Values, chip: Chip) {
    for (file, url, name) in [
        ("app.file", "app.url", "app_upd.bin"),
        ("bootloader.file", "bootloader.url", "mcuboot.bin"),
    ] {
        let file_value = format!("\"{name}\"");
        let url_value = format!("\"http://192.168.100.101:8070/{name}\"");
        let (file_value, url_value) = if chip.has_wifi() {
            (Fitted::Shown(file_value), Fitted::Given(url_value))
        } else {
            (Fitted::Given(file_value), Fitted::Shown(url_value))
        };
        values.insert(file, file_value);
        values.insert(url, url_value);
    }
}

fn add_map(values: &mut Values, fit: Fit) {
    let table = |region: Region| {
        let offset = format!("{:#x},", region.start().get());
        format!("{{ offset = {offset:<9} size = {:#x} }}", region.len_bytes())
    };
    values.insert("mcuboot.primary", Fitted::Given(table(fit.primary)));
    values.insert("mcuboot.secondary", Fitted::Given(table(fit.secondary)));
    let scratch = match fit.scratch {
        Some(scratch) => Some(Fitted::Given(table(scratch))),
        None => example().scratch.map(|scratch| Fitted::Shown(table(scratch))),
    };
    values.extend(scratch.map(|scratch| ("mcuboot.scratch", scratch)));
}

/// The path relative to that directory.
fn relative(file: &Path, dir: &Path) -> Result<String, TemplateError> {
    let whole = |path: &Path| -> Result<PathBuf, TemplateError> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::canonicalize(path).map_err(|error| TemplateError::of_path(path, &error))
    };
    let (file, dir) = (whole(file)?, whole(dir)?);
    let name = file.strip_prefix(&dir).unwrap_or(&file);
    match name.to_str() {
        // A path that works on every system has no backslashes.
        Some(name) => Ok(if cfg!(windows) { name.replace('\\', "/") } else { name.to_owned() }),
        None => Err(TemplateError::new(
            format_args!("the path {} is not UTF-8", file.display()),
            "name the partition table by a UTF-8 path",
        )),
    }
}
