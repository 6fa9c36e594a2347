//! Derives `[mcuboot]` from a bootloader's file, for a migration file that is being written.

use flash_region::Region;
use mcuboot_format::bootloader::BootloaderFile;
use mcuboot_format::{DowngradePrevention, SwapKind};

use bootswap_plan::DEFAULT_MAX_SECTORS;

use crate::document::{Document, EditError, KeyPath};
use crate::keys::len_bytes;
use crate::owned::OwnedMap;

/// The keys of `[mcuboot]` that a bootloader's file shows, with their values in TOML. Empty if it
/// is not MCUboot.
///
/// The signing key is not among them: it is read from the file whenever the migration is read.
/// Slots in Zephyr's partition table are a guess.
#[must_use]
pub fn map_of(file: &[u8]) -> Vec<(&'static str, String)> {
    let build = BootloaderFile::read(file).ok().and_then(|file| file.build);
    let Some(build) = build else { return Vec::new() };
    let mut keys = Vec::new();
    let mut area = |[offset, size]: [&'static str; 2], region: Region| {
        keys.push((offset, format!("{:#x}", region.start().get())));
        keys.push((size, format!("{:#x}", region.len_bytes())));
    };
    let swap = build.swap.and_then(|swap| swap.value.only());
    if let Some(map) = build.map.map(|map| map.value) {
        if let Some((primary, secondary)) = map.slots {
            area(["mcuboot.primary.offset", "mcuboot.primary.size"], primary);
            area(["mcuboot.secondary.offset", "mcuboot.secondary.size"], secondary);
        }
        if let Some(scratch) = map.scratch.filter(|_| swap == Some(SwapKind::Scratch)) {
            area(["mcuboot.scratch.offset", "mcuboot.scratch.size"], scratch);
        }
    }
    if let Some(swap) = swap {
        keys.push(("mcuboot.swap", format!("{:?}", swap.name())));
    }
    if let Some(align) = build.max_align {
        keys.push(("mcuboot.max_align", align.value.to_string()));
    }
    // The default needs no key.
    if let Some(sectors) = build.max_sectors.filter(|n| n.value != DEFAULT_MAX_SECTORS) {
        keys.push(("mcuboot.max_sectors", sectors.value.to_string()));
    }
    let prevention = build.downgrade_prevention.map(|found| found.value);
    if let Some(prevention) = prevention.filter(|p| *p != DowngradePrevention::None) {
        keys.push(("mcuboot.downgrade_prevention", format!("{:?}", prevention.name())));
    }
    if build.overwrites_fast.is_some_and(|fast| fast.value) {
        keys.push(("mcuboot.overwrite_fast", "true".to_owned()));
    }
    keys
}

/// The same as a map, without the key; `None` if the file does not show slots or kind of swap.
pub(crate) fn owned_map_of(file: &[u8]) -> Option<OwnedMap> {
    let build = BootloaderFile::read(file).ok()?.build?;
    let map = build.map?.value;
    let (primary, secondary) = map.slots?;
    let swap = build.swap?.value.only()?;
    Some(OwnedMap {
        primary,
        secondary,
        scratch: map.scratch.filter(|_| swap == SwapKind::Scratch),
        swap,
        max_align_bytes: build.max_align?.value,
        max_sectors: build.max_sectors.map_or(DEFAULT_MAX_SECTORS, |found| found.value),
        downgrade_prevention: build.downgrade_prevention.map(|p| p.value).unwrap_or_default(),
        overwrites_fast: build.overwrites_fast.is_some_and(|found| found.value),
        key_der: None,
    })
}

/// Sets these keys in a document, and returns those whose value changed.
///
/// # Errors
///
/// An [`EditError`] if the document cannot have one of them; it is unchanged then.
pub fn fill_map(document: &mut Document, file: &[u8]) -> Result<Vec<&'static str>, EditError> {
    let mut filled = document.clone();
    let mut changed = Vec::new();
    for (key, value) in map_of(file) {
        let path = KeyPath::new(key, 0);
        let is_equal = |old: &String| match (len_bytes(old), len_bytes(&value)) {
            (Ok(old), Ok(new)) => old == new,
            _ => *old == value.trim_matches('"'),
        };
        if filled.get(&path).as_ref().is_some_and(is_equal) {
            continue;
        }
        filled.set(&path, &value)?;
        changed.push(key);
    }
    *document = filled;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use device_sim::{McubootConfig, synthetic};
    use esp_idf_format::Chip;
    use esp_idf_format::image::FlashSize;
    use flash_region::FlashAddr;

    use super::*;
    use crate::example::MIGRATION;

    fn bootloader(config: &McubootConfig) -> Vec<u8> {
        synthetic::mcuboot(Chip::Esp32c3, FlashSize::Mb4, 0x6000, 1, config).unwrap()
    }

    #[test]
    fn what_differs_is_filled_in_and_all_else_stays() {
        let region = |start, len| Region::clamped(FlashAddr(start), len);
        let config = McubootConfig {
            primary: region(0x2_0000, 0x15_0000),
            secondary: region(0x17_0000, 0x15_0000),
            scratch: Some(region(0x2c_0000, 0x4_0000)),
            max_sectors: 976,
            downgrade_prevention: DowngradePrevention::Version,
            ..McubootConfig::example()
        };
        let mut document = Document::new(MIGRATION.to_owned()).unwrap();
        let changed = fill_map(&mut document, &bootloader(&config)).unwrap();
        assert_eq!(
            changed,
            [
                "mcuboot.primary.offset",
                "mcuboot.primary.size",
                "mcuboot.secondary.offset",
                "mcuboot.secondary.size",
                "mcuboot.scratch.offset",
                "mcuboot.max_sectors",
                "mcuboot.downgrade_prevention",
            ]
        );
        let get = |key| document.get(&KeyPath::new(key, 0)).unwrap();
        assert_eq!(get("mcuboot.primary.offset"), "0x20000");
        assert_eq!(get("mcuboot.max_sectors"), "976");
        assert_eq!(get("mcuboot.downgrade_prevention"), "version");
        assert_eq!(get("app.file"), "app_upd.bin");
        // A second time changes nothing.
        let mut again = document.clone();
        assert_eq!(fill_map(&mut again, &bootloader(&config)).unwrap(), [""; 0]);
        assert_eq!(again, document);
    }

    #[test]
    fn a_file_of_another_kind_fills_nothing_in() {
        let mut document = Document::new(MIGRATION.to_owned()).unwrap();
        for file in [b"nothing".as_slice(), &[0xe9; 100], &[]] {
            assert_eq!(fill_map(&mut document, file).unwrap(), [""; 0]);
        }
        let example = bootloader(&McubootConfig::example());
        assert_eq!(fill_map(&mut document, &example).unwrap(), [""; 0]);
        assert_eq!(document.text(), MIGRATION);
    }
}
