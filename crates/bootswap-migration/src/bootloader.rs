//! Compares `[mcuboot]` with what the bootloader's file shows.
//!
//! ```text
//!                      the file has it      the file does not say
//! the migration has it equal, or refused    assumed
//! it has a default     the file's counts    the default counts, assumed
//! ```
//!
//! The map decides what a device erases, and a device cannot examine its bootloader as thoroughly
//! as the desk. So everything that is only assumed is listed.

use std::fmt;

use bootswap_plan::{DEFAULT_MAX_SECTORS, McubootMap, Reason};
use flash_region::{Hex, Region, SECTOR_BYTES};
use mcuboot_format::bootloader::{
    BootloaderFile, CompiledMap, Found, MapForm, McubootBuild, Signature, System,
};
use mcuboot_format::key::PublicKey;
use mcuboot_format::{DowngradePrevention, SwapKind};
use serde::Serialize;

use crate::owned::{OwnedMap, OwnedMigration};

/// Something that a plan relies on and that could not be checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assumption {
    /// The key of the migration that states it, or could state it.
    pub key: &'static str,
    /// The assumed value; `null` if all of the key's value is assumed.
    pub value: Option<String>,
    /// Why it is assumed, and what would show it.
    pub message: String,
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value}: {}", self.key, self.message),
            None => write!(f, "[{}]: {}", self.key, self.message),
        }
    }
}

/// The values that the migration states explicitly and that the bootloader's file may show too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stated {
    pub(crate) max_sectors: Option<u32>,
    pub(crate) downgrade_prevention: Option<DowngradePrevention>,
    pub(crate) overwrites_fast: Option<bool>,
}

/// Reads the target bootloader's file, if there is one: completes the migration's map, and records
/// what contradicts it and what is assumed.
pub(crate) fn compare(migration: &mut OwnedMigration, stated: Stated) {
    let file = migration.bootloader_file().map(BootloaderFile::read);
    let name = migration.bootloader_name().unwrap_or_default().to_owned();
    let mut notes = Notes::default();
    match (&mut migration.mcuboot, file) {
        (Some(map), Some(Ok(file))) => notes.file(map, &name, file, stated),
        // A file that is not an ESP image is refused elsewhere, by its content.
        (Some(_), Some(Err(_))) => {}
        (Some(_), None) if name.is_empty() => notes.assume(
            "mcuboot",
            None,
            "the migration writes no bootloader, so the map cannot be compared with one".to_owned(),
        ),
        (Some(_), None) => notes.assume(
            "mcuboot",
            None,
            format!(
                "{name} has no `file`, so the map could not be compared with the bootloader's, \
                and there is no digest to say which bootloader devices will get"
            ),
        ),
        (None, Some(Ok(file))) if file.build.is_some() => notes.assume(
            "mcuboot",
            None,
            format!(
                "{name} is MCUboot, and without [mcuboot] nothing is checked or cleaned in its \
                 slots; `image info` shows its map"
            ),
        ),
        (None, _) => {}
    }
    migration.against = notes.against;
    migration.assumed = notes.assumed;
}

#[derive(Default)]
struct Notes {
    against: Vec<Reason>,
    assumed: Vec<Assumption>,
}

/// Compares a completely stated map with the bootloader `file`, whose name is `name`: what
/// contradicts the map, and what remains assumed.
pub(crate) fn compare_with(
    map: &McubootMap<'_>,
    name: &str,
    file: &[u8],
) -> (Vec<Reason>, Vec<Assumption>) {
    let mut notes = Notes::default();
    let stated = Stated {
        max_sectors: Some(map.max_sectors),
        downgrade_prevention: Some(map.downgrade_prevention),
        overwrites_fast: Some(map.overwrites_fast),
    };
    match BootloaderFile::read(file) {
        Ok(file) => notes.file(&mut OwnedMap::from(map), name, file, stated),
        Err(_) => {
            let message = format!("{name} is not an image that can be read");
            notes.assume("mcuboot", None, message);
        }
    }
    (notes.against, notes.assumed)
}

impl Notes {
    fn file(&mut self, map: &mut OwnedMap, name: &str, file: BootloaderFile, stated: Stated) {
        let system = file.system.as_ref().map(|found| found.value);
        match (system, file.build) {
            (Some(System::EspIdf), _) => {
                self.against.push(Reason::not_mcuboot(name, System::EspIdf.name()));
            }
            (_, Some(build)) => self.build(map, &build, stated),
            _ => {
                let message = format!("nothing in the file of {name} says that it is MCUboot");
                self.assume("mcuboot", None, message);
            }
        }
    }

    fn assume(&mut self, key: &'static str, value: Option<String>, message: String) {
        self.assumed.push(Assumption { key, value, message });
    }

    fn refuse(&mut self, key: &'static str, declared: &str, found: &str) {
        self.against.push(Reason::bootloader_differs(key, declared, found));
    }

    /// Compares the map with how the bootloader was built.
    fn build(&mut self, map: &mut OwnedMap, build: &McubootBuild, stated: Stated) {
        self.swap(map, build);
        self.areas(map, build);
        self.key(map, build.signature.as_ref());
        if let Some(found) = &build.max_align
            && found.value != map.max_align_bytes
        {
            let (declared, found) = (map.max_align_bytes, found.value);
            self.refuse("mcuboot.max_align", &declared.to_string(), &found.to_string());
        }
        // Zephyr has room for as many sectors as its slots have (BOOT_MAX_IMG_SECTORS_AUTO in
        // boot/zephyr/Kconfig of MCUboot).
        let is_zephyr = build.map.as_ref().is_some_and(|map| map.value.form == MapForm::Zephyr);
        let slot_len_bytes = map.primary.len_bytes().max(map.secondary.len_bytes());
        let default = if is_zephyr { slot_len_bytes / SECTOR_BYTES } else { DEFAULT_MAX_SECTORS };
        map.max_sectors = self.value(
            "mcuboot.max_sectors",
            (stated.max_sectors, build.max_sectors.as_ref(), default),
            |a, b| a == b,
            "state it if you know it",
        );
        map.downgrade_prevention = self.value(
            "mcuboot.downgrade_prevention",
            (
                stated.downgrade_prevention,
                build.downgrade_prevention.as_ref(),
                DowngradePrevention::None,
            ),
            |a, b| prevents_alike(map.swap, *a, *b),
            "state it if you know it; a bootloader that prevents downgrades would erase an \
            application with a version below 0.0.256, which is what an ESP-IDF app in the primary \
            slot reads as",
        );
        if map.swap == SwapKind::Overwrite {
            map.overwrites_fast = self.value(
                "mcuboot.overwrite_fast",
                (stated.overwrites_fast, build.overwrites_fast.as_ref(), is_zephyr),
                |a, b| a == b,
                "state it if you know it",
            );
        }
    }

    /// The value to use: what the migration states, else what the file shows, else the default.
    fn value<T: Copy + ToString>(
        &mut self,
        key: &'static str,
        (stated, found, default): (Option<T>, Option<&Found<T>>, T),
        alike: impl Fn(&T, &T) -> bool,
        help: &str,
    ) -> T {
        match (stated, found) {
            (Some(stated), Some(found)) => {
                if !alike(&stated, &found.value) {
                    self.refuse(key, &stated.to_string(), &found.value.to_string());
                }
                stated
            }
            (None, Some(found)) => {
                if !found.is_sure {
                    let message = format!("likely, by {}; state it if you know it", found.evidence);
                    self.assume(key, Some(found.value.to_string()), message);
                }
                found.value
            }
            (stated, None) => {
                let value = stated.unwrap_or(default);
                let message = match stated {
                    Some(_) => "the bootloader's file does not show it".to_owned(),
                    None => format!("the bootloader's file does not show it; {help}"),
                };
                self.assume(key, Some(value.to_string()), message);
                value
            }
        }
    }

    fn swap(&mut self, map: &OwnedMap, build: &McubootBuild) {
        let key = "mcuboot.swap";
        match &build.swap {
            None => self.assume(
                key,
                Some(map.swap.to_string()),
                "the bootloader's file does not show it".to_owned(),
            ),
            Some(found) if !found.value.all().contains(&map.swap) => {
                let kinds: Vec<&str> = found.value.all().iter().map(|kind| kind.name()).collect();
                self.refuse(key, map.swap.name(), &kinds.join(" or "));
            }
            Some(found) if found.value.only().is_none() || !found.is_sure => {
                let message = format!(
                    "the bootloader's file shows only {}, which is also found with swap using move",
                    found.evidence
                );
                self.assume(key, Some(map.swap.to_string()), message);
            }
            Some(_) => {}
        }
    }

    fn areas(&mut self, map: &OwnedMap, build: &McubootBuild) {
        let Some(found) = build.map.as_ref().map(|found| &found.value) else {
            let message = "the bootloader's file does not show where its slots are".to_owned();
            return self.assume("mcuboot", None, message);
        };
        // It starts nothing before each of its primary slots has a valid image
        // (`context_boot_go`, boot/bootutil/src/loader.c).
        if let Some(images) = found.images().filter(|images| *images > 1) {
            self.refuse("mcuboot", "for one image", &format!("for {images} images"));
        }
        let (primary, secondary) = found.slots.unzip();
        for (key, declared, slot) in [
            ("mcuboot.primary", map.primary, primary),
            ("mcuboot.secondary", map.secondary, secondary),
        ] {
            self.area(key, declared, slot, found);
        }
        if let Some(scratch) = map.scratch.filter(|_| map.swap == SwapKind::Scratch) {
            self.area("mcuboot.scratch", scratch, found.scratch, found);
        }
        if !found.names_slots() {
            let message = "the bootloader's table has these regions, but does not say which of \
            them are slots"
                .to_owned();
            let value = format!("{}, {}", area(map.primary), area(map.secondary));
            self.assume("mcuboot", Some(value), message);
        }
    }

    /// Compares one area of the map with that of the file.
    fn area(
        &mut self,
        key: &'static str,
        declared: Region,
        named: Option<Region>,
        found: &CompiledMap,
    ) {
        let is_there =
            if found.names_slots() { named == Some(declared) } else { found.has(declared) };
        if is_there {
            return;
        }
        match named {
            Some(named) => self.refuse(key, &area(declared), &area(named)),
            // A bootloader with another kind of swap has no scratch area, and is refused for that.
            None if found.names_slots() => {}
            None => self.refuse(key, &area(declared), "not there"),
        }
    }

    fn key(&mut self, map: &mut OwnedMap, signature: Option<&Found<Signature>>) {
        let key = "mcuboot.public_key";
        let declared = map.key_der.as_deref().and_then(|der| PublicKey::from_der(der).ok());
        match (declared, signature.map(|found| &found.value)) {
            (declared, Some(Signature::Key(compiled))) => {
                let Ok(compiled) = PublicKey::from_der(&compiled.der) else {
                    let message = "the key in the bootloader's file is not valid".to_owned();
                    return self.assume(key, None, message);
                };
                match declared {
                    Some(declared) if declared != compiled => {
                        self.refuse(key, &shown(&declared), &shown(&compiled));
                    }
                    Some(_) => {}
                    None => map.key_der = Some(compiled.to_der()),
                }
            }
            (Some(declared), Some(Signature::None)) => {
                self.refuse(key, &shown(&declared), "none");
            }
            (None, Some(Signature::None)) => {}
            (Some(declared), Some(Signature::KeyElsewhere(kind))) if declared.kind() != *kind => {
                self.refuse(key, &shown(&declared), &format!("{kind}, kept elsewhere"));
            }
            (declared, Some(Signature::KeyElsewhere(kind))) => {
                let message = format!(
                    "the bootloader checks {kind} signatures with a key that is not in its file"
                );
                self.assume(key, declared.as_ref().map(shown), message);
            }
            (declared, None) => {
                let message = "the bootloader's file has several keys".to_owned();
                self.assume(key, declared.as_ref().map(shown), message);
            }
        }
    }
}

/// A key as messages show it: its kind, and the start of its hash.
fn shown(key: &PublicKey) -> String {
    let [a, b, c, d, ..] = key.hash();
    format!("{} {}", key.kind(), Hex(&[a, b, c, d]))
}

/// Whether a bootloader with that kind of swap behaves the same with both settings.
///
/// Overwriting compares only versions, and the file does not show whether build numbers count.
fn prevents_alike(swap: SwapKind, a: DowngradePrevention, b: DowngradePrevention) -> bool {
    use DowngradePrevention::{SecurityCounter, Version, VersionAndBuild};
    let plain = |prevention| match prevention {
        VersionAndBuild => Version,
        SecurityCounter if swap == SwapKind::Overwrite => Version,
        other => other,
    };
    plain(a) == plain(b)
}

/// An area as messages show it.
fn area(region: Region) -> String {
    format!("{:#x}+{:#x}", region.start().get(), region.len_bytes())
}
