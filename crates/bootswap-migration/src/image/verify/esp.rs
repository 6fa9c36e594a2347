//! Checks of an ESP image, and of what is in a migrator's image and after it.

use bootswap_config::{ConfigError, Storage, decode, find_section};
use bootswap_engine::ContainerHeader;
use bootswap_plan::{McubootMap, Migration, Origin, Role};
use esp_idf_format::image::{self, ImageInfo};
use esp_idf_format::{Chip, ImageChip};
use flash_region::Hex;
use sha2::{Digest, Sha256};

use super::super::bootloader::BootloaderInfo;
use super::super::carrier;
use super::check::Check;
use super::wanted::Wanted;
use crate::bootloader::{self, Assumption};
use crate::container;

/// Checks an ESP image, and what is in a migrator's image and after it.
pub(super) fn esp_image(
    file: &[u8],
    wanted: &Wanted<'_>,
    assumed: &mut Vec<Assumption>,
) -> Vec<Check> {
    let mut checks = vec![Check::new("image", esp(file, wanted.chip))];
    if let Some(map) = wanted.map {
        checks.push(Check::new("map", map_of(&map.lend(), "the file", file, assumed)));
    }
    if let Ok(info) = image::verify(file) {
        let (image, behind) = container::split(file, info.total_len_bytes);
        let configuration = configuration(image, behind, assumed);
        checks.extend(configuration.map(|c| Check::new("configuration", c)));
        checks.extend(copies(file, image));
    }
    checks
}

/// Checks the copies of a bootloader that a carrier or first stage has in the same file.
fn copies(file: &[u8], image: &[u8]) -> Vec<Check> {
    let Ok((_, record)) = carrier_format::find(image) else { return Vec::new() };
    let inside = carrier::copies(file, &record).filter(|copy| !copy.elsewhere);
    let checks = inside.map(|copy| {
        let place = format!("{:#x} bytes at {:#x}", copy.size, copy.offset);
        Check::new(
            "copy",
            match copy.error {
                Some(error) => Err(format!("{place}: {error}")),
                None => Ok(format!("{place}, whole")),
            },
        )
    });
    checks.collect()
}

/// Checks whether a bootloader was built with that map.
fn map_of(
    map: &McubootMap<'_>,
    name: &str,
    file: &[u8],
    assumed: &mut Vec<Assumption>,
) -> Result<String, String> {
    let (against, open) = bootloader::compare_with(map, name, file);
    assumed.extend(open);
    if against.is_empty() {
        return Ok("the same as in the migration, as far as the file shows it".to_owned());
    }
    let against = against.iter().map(|reason| format!("{}: {reason}", reason.code()));
    Err(against.collect::<Vec<_>>().join("; "))
}

/// Checks the image itself.
///
/// A bootloader must also be one that its chip's ROM can load.
pub(super) fn esp(file: &[u8], chip: Option<Chip>) -> Result<String, String> {
    let info = image::verify(file).map_err(|error| error.to_string())?;
    if let (true, Some(chip)) = (BootloaderInfo::of(file).is_some(), info.header.chip()) {
        image::verify_for_rom(file, chip).map_err(|error| error.to_string())?;
    }
    told(&info, chip)
}

/// Checks a bootloader in the way in which the ROM does, which verifies only the checksum.
pub(super) fn esp_as_rom(file: &[u8], chip: Option<Chip>) -> Result<String, String> {
    let (info, stale) = image::verify_as_rom(file).map_err(|error| error.to_string())?;
    let told = told(&info, chip)?;
    if let Some(chip) = info.header.chip() {
        image::verify_for_rom(file, chip).map_err(|error| error.to_string())?;
    }
    Ok(match stale {
        Some(error) => format!("{told}; it was changed after it was built: {error}"),
        None => told,
    })
}

fn told(info: &ImageInfo, chip: Option<Chip>) -> Result<String, String> {
    let found = ImageChip(info.header.chip_id);
    if let Some(chip) = chip.filter(|chip| chip.image_chip_id() != info.header.chip_id) {
        return Err(format!("chip at offset 12 is {found}, not {chip}"));
    }
    if info.header.chip().is_none() {
        return Err(format!("chip at offset 12 is {found}"));
    }
    let digest = info.digest.map_or("checksum is right, no SHA-256".to_owned(), |digest| {
        format!("checksum and SHA-256 are right, {}", Hex(&digest))
    });
    Ok(format!("for {found}, {:#x} bytes, {digest}", info.total_len_bytes))
}

/// Checks the other parts of a migrator: a configuration that can be read, and every artifact that
/// it must contain. `None` for an image that is not a migrator.
fn configuration(
    image: &[u8],
    behind: &[u8],
    assumed: &mut Vec<Assumption>,
) -> Option<Result<String, String>> {
    let at = match find_section(image) {
        Err(ConfigError::NoSection) => return None,
        Err(error) => return Some(Err(error.to_string())),
        Ok(at) => at,
    };
    let mut storage = Storage::default();
    let section = image.get(at.clone()).unwrap_or_default();
    Some(match decode(section, &mut storage) {
        // An image as it was built is complete, too.
        Err(error @ ConfigError::Empty) => Ok(error.to_string()),
        Err(error) => Err(format!("at {:#x}: {error}", at.start)),
        Ok(config) => embedded(&config.migration, behind, assumed),
    })
}

/// Whether the container has every artifact that the migration takes from it, and the bootloader,
/// if it is embedded, has the migration's map.
fn embedded(
    migration: &Migration<'_>,
    container: &[u8],
    assumed: &mut Vec<Assumption>,
) -> Result<String, String> {
    let inside = || migration.artifacts.iter().filter(|a| a.origin == Origin::Embedded);
    let count = inside().count();
    if count == 0 {
        return Ok("valid, artifacts are fetched".to_owned());
    }
    let header = ContainerHeader::parse(container).map_err(|error| error.to_string())?;
    for artifact in inside() {
        let name = artifact.name;
        let entry = header
            .find(name)
            .ok_or_else(|| format!("{name} is not among the embedded artifacts"))?;
        let start = entry.offset as usize;
        let bytes = start
            .checked_add(entry.len_bytes as usize)
            .and_then(|end| container.get(start..end))
            .ok_or_else(|| format!("the file ends before the embedded {name} does"))?;
        let found: [u8; 32] = Sha256::digest(bytes).into();
        if found != entry.sha256 {
            return Err(format!(
                "the SHA-256 of the embedded {name} is {}, not the one in the directory, {}",
                Hex(&found),
                Hex(&entry.sha256)
            ));
        }
        if artifact.sha256.is_some_and(|wanted| wanted != found) {
            return Err(format!(
                "the SHA-256 of the embedded {name} is not the one in the migration"
            ));
        }
        if let (Role::Bootloader, Some(map)) = (artifact.role, &migration.mcuboot) {
            map_of(map, name, bytes, assumed)?;
        }
    }
    Ok(format!("valid, with {count} embedded artifacts"))
}
