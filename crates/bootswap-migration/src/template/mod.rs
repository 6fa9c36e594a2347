//! A new migration file, from a chip and a partition table.
//!
//! The map is the example's where the devices have the example's table, and else what fits the
//! table: the two largest app partitions of one size as slots, and a scratch area where nothing is
//! kept.

mod fit;
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
use mcuboot_format::SwapKind;

use crate::facts::ASSUMED_FLASH_SIZE;
use crate::judge::{Judge, Judgement};
use crate::load::from_text;
use fit::{Fit, example, fit};
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

/// The text of a migration of devices with that chip and table; `path` is where the file will be.
///
/// # Errors
///
/// A [`TemplateError`] where the table cannot be read, or has no partition for an app.
pub fn new(chip: Chip, partitions: &Path, path: &Path) -> Result<String, TemplateError> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let name = relative(partitions, dir)?;
    let quoted = toml_edit::Value::from(name.as_str()).to_string();
    // The reader of migrations reads the table, so that its messages are the same.
    let probe = format!(
        "chip = \"{chip}\"\npartitions = {quoted}\n\
         [bootloader]\nurl = \"http://192.168.100.101/\"\n"
    );
    let read = from_text(&probe, dir)
        .map_err(|problem| TemplateError::new(problem.message, problem.help))?;
    let table = read.partition_table.unwrap_or_default();
    let table = PartitionTable::parse_as_bootloader(&table).map_err(|error| {
        TemplateError::new(format_args!("{name}: {error}"), "correct the table")
    })?;
    let all: Vec<Partition> = table.iter().collect();
    let end = all.iter().map(|p| p.region.end()).max().unwrap_or_default();
    let size = FlashSize::ALL
        .into_iter()
        .filter(|size| size.bytes() >= end.get())
        .min_by_key(|size| size.bytes().max(ASSUMED_FLASH_SIZE.bytes()));
    let size = size.unwrap_or(ASSUMED_FLASH_SIZE);
    let flash = Region::clamped(FlashAddr::ZERO, size.bytes());
    // Where an update can bring the migrator to, the factory partition first.
    let others = all.iter().copied().filter(|p| p.is_app() && !p.is_factory());
    let apps: Vec<Partition> = table.factory().into_iter().chain(others).collect();
    if apps.is_empty() {
        return Err(TemplateError::new(
            format_args!("{name} has no partition for an app"),
            "name the partition table of the devices as they are now, under ESP-IDF",
        ));
    }
    let fit = fit(&all, flash);
    let swaps = match fit {
        Some(Fit { scratch: None, .. }) => &[SwapKind::Move, SwapKind::Overwrite][..],
        _ => &[SwapKind::Scratch],
    };
    let mut values = Values::from([
        ("chip", Fitted::Given(format!("\"{chip}\""))),
        ("flash_size", Fitted::Given(format!("\"{size}\""))),
        ("partitions", Fitted::Given(quoted)),
    ]);
    add_sources(&mut values, chip);
    add_map(&mut values, fit.unwrap_or_else(example));
    let texts = apps.iter().flat_map(|running| {
        let values = &values;
        swaps.iter().map(move |swap| {
            let mut values = values.clone();
            values.insert("running", Fitted::Given(format!("\"{}\"", running.label)));
            values.insert("mcuboot.swap", Fitted::Given(format!("\"{swap}\"")));
            text(chip, &values)
        })
    });
    let texts: Vec<String> = texts.collect();
    // The first that would be safe, if there is one.
    let judge = Judge::new(dir);
    let is_safe = |text: &&String| matches!(judge.judge(text).judgement, Judgement::Safe(_));
    let best = texts.iter().find(is_safe).or(texts.first());
    Ok(best.cloned().unwrap_or_default())
}

/// Where application and bootloader come from: over the network, or with the migrator where there
/// is none.
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

/// The path as it is named from that directory.
fn relative(file: &Path, dir: &Path) -> Result<String, TemplateError> {
    let whole = |path: &Path| -> Result<PathBuf, TemplateError> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::canonicalize(path).map_err(|error| TemplateError::of_path(path, &error))
    };
    let (file, dir) = (whole(file)?, whole(dir)?);
    let name = file.strip_prefix(&dir).unwrap_or(&file);
    match name.to_str() {
        // A path that is the same everywhere has no backslashes.
        Some(name) => Ok(if cfg!(windows) { name.replace('\\', "/") } else { name.to_owned() }),
        None => Err(TemplateError::new(
            format_args!("the path {} is not UTF-8", file.display()),
            "name the partition table by a path that is",
        )),
    }
}
