//! Describes a bootloader by what its file shows.

use flash_region::Hex;
use mcuboot_format::bootloader::{BootloaderFile, CompiledMap, Found, MapForm, Signature};
use mcuboot_format::key::PublicKey;
use serde::Serialize;

use super::lines::Lines;
use crate::plan::RegionReport;

/// What a bootloader's file shows about it; `null` if something was not found, which means neither
/// yes nor no.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BootloaderInfo {
    /// `MCUboot` or `ESP-IDF`.
    pub system: Option<Fact<&'static str>>,
    /// Version of ESP-IDF in ESP-IDF's own bootloader.
    pub esp_idf_version: Option<Fact<String>>,
    /// Flash map of MCUboot.
    pub map: Option<Fact<CompiledMapInfo>>,
    /// `scratch`, `move`, `offset` or `overwrite`; several if the file does not decide.
    pub swap: Option<Fact<Vec<&'static str>>>,
    /// Whether overwriting copies only the image; `null` for the swaps, too.
    pub overwrite_fast: Option<Fact<bool>>,
    /// How signatures are checked.
    pub signature: Option<Fact<SignatureInfo>>,
    /// Number of sectors of a slot that there is room for.
    pub max_sectors: Option<Fact<u32>>,
    /// Alignment of the fields in a trailer.
    pub max_align: Option<Fact<u32>>,
    /// `none`, `version` or `security-counter`.
    pub downgrade_prevention: Option<Fact<&'static str>>,
    /// Whether the primary slot is validated at every boot.
    pub validates_primary: Option<Fact<bool>>,
}

/// A fact, and how it was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact<T> {
    /// The fact.
    pub value: T,
    /// Offset of the evidence in the file; `null` if the evidence is that something is missing.
    pub offset: Option<u32>,
    /// Its address in the chip's memory.
    pub address: Option<u32>,
    /// What the evidence is.
    pub evidence: String,
    /// Whether nothing else could leave this evidence.
    pub sure: bool,
}

/// The flash map in a bootloader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CompiledMapInfo {
    /// `espressif`, whose map names the purpose of its regions, or `zephyr`, whose slots are a
    /// guess.
    pub form: &'static str,
    /// Primary slot.
    pub primary: Option<RegionReport>,
    /// Secondary slot.
    pub secondary: Option<RegionReport>,
    /// Scratch area.
    pub scratch: Option<RegionReport>,
    /// All regions.
    pub regions: Vec<NumberedRegion>,
}

/// A region of a bootloader's map.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct NumberedRegion {
    /// Its number there.
    pub id: u8,
    /// Where it is.
    pub region: RegionReport,
}

/// How signatures are checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SignatureInfo {
    /// `none`, or the kind of key.
    pub kind: &'static str,
    /// SHA-256 of the key, by which images name it; `null` if the key is not in the file.
    pub key_sha256: Option<String>,
}

impl BootloaderInfo {
    /// Describes the bootloader in a file; `None` if the file does not show whose it is.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        let BootloaderFile { system, esp_idf_version, build, .. } =
            BootloaderFile::read(file).ok()?;
        let system = system?;
        let build = build.as_ref();
        Some(Self {
            system: Some(Fact::of(&system, |system| system.name())),
            esp_idf_version: esp_idf_version
                .map(|version| Fact::of(&version, |version| version.to_string())),
            map: fact(build.and_then(|b| b.map.as_ref()), CompiledMapInfo::of),
            swap: fact(build.and_then(|b| b.swap.as_ref()), |kinds| {
                kinds.all().iter().map(|kind| kind.name()).collect()
            }),
            overwrite_fast: fact(build.and_then(|b| b.overwrites_fast.as_ref()), |fast| *fast),
            signature: fact(build.and_then(|b| b.signature.as_ref()), SignatureInfo::of),
            max_sectors: fact(build.and_then(|b| b.max_sectors.as_ref()), |sectors| *sectors),
            max_align: fact(build.and_then(|b| b.max_align.as_ref()), |align| *align),
            downgrade_prevention: fact(
                build.and_then(|b| b.downgrade_prevention.as_ref()),
                |prevention| prevention.name(),
            ),
            validates_primary: fact(build.and_then(|b| b.validates_primary.as_ref()), |v| *v),
        })
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.line("bootloader");
        lines.inside(|lines| {
            shown(lines, "whose", &self.system, |system| (*system).to_owned());
            if self.esp_idf_version.is_some() {
                shown(lines, "version", &self.esp_idf_version, Clone::clone);
            }
            if self.system.as_ref().is_none_or(|system| system.value != "MCUboot") {
                return;
            }
            shown(lines, "map", &self.map, |map| format!("{} regions", map.regions.len()));
            if let Some(map) = &self.map {
                lines.inside(|lines| map.value.write(lines));
            }
            shown(lines, "swap", &self.swap, |kinds| kinds.join(" or "));
            if let Some(fast) = &self.overwrite_fast {
                shown(lines, "overwrites", &Some(fast.clone()), |fast| {
                    if *fast { "no more than the image" } else { "the whole slot" }.to_owned()
                });
            }
            shown(lines, "signature", &self.signature, |signature| match &signature.key_sha256 {
                Some(sha256) => format!("{}, key {sha256}", signature.kind),
                None => signature.kind.to_owned(),
            });
            shown(lines, "sectors", &self.max_sectors, ToString::to_string);
            shown(lines, "alignment", &self.max_align, ToString::to_string);
            shown(lines, "downgrades", &self.downgrade_prevention, |p| match *p {
                "none" => "allowed".to_owned(),
                prevention => format!("prevented by {prevention}"),
            });
            shown(lines, "primary", &self.validates_primary, |validates| {
                if *validates { "validated at every boot" } else { "not validated" }.to_owned()
            });
        });
    }
}

impl<T> Fact<T> {
    fn of<F>(found: &Found<F>, value: impl FnOnce(&F) -> T) -> Self {
        Self {
            value: value(&found.value),
            offset: found.place.map(|place| place.offset_bytes),
            address: found.place.map(|place| place.addr),
            evidence: found.evidence.to_string(),
            sure: found.is_sure,
        }
    }
}

fn fact<F, T>(found: Option<&Found<F>>, value: impl FnOnce(&F) -> T) -> Option<Fact<T>> {
    found.map(|found| Fact::of(found, value))
}

/// A line with the fact, and one with the evidence.
fn shown<T>(lines: &mut Lines, name: &str, fact: &Option<Fact<T>>, value: impl Fn(&T) -> String) {
    let Some(fact) = fact else { return lines.field(name, "not found") };
    let likely = if fact.sure { "" } else { ", likely" };
    lines.field(name, format_args!("{}{likely}", value(&fact.value)));
    match (fact.offset, fact.address) {
        (Some(offset), Some(address)) => lines.field(
            "",
            format_args!("by {}, offset {offset:#x}, address {address:#x}", fact.evidence),
        ),
        _ => lines.field("", format_args!("by {}", fact.evidence)),
    }
}

impl CompiledMapInfo {
    fn of(map: &CompiledMap) -> Self {
        let (primary, secondary) = map.slots.unzip();
        Self {
            form: match map.form {
                MapForm::Espressif => "espressif",
                MapForm::Zephyr => "zephyr",
            },
            primary: primary.map(RegionReport::from),
            secondary: secondary.map(RegionReport::from),
            scratch: map.scratch.map(RegionReport::from),
            regions: map
                .regions
                .iter()
                .map(|(id, region)| NumberedRegion { id: *id, region: (*region).into() })
                .collect(),
        }
    }

    fn write(&self, lines: &mut Lines) {
        let guess = if self.form == "zephyr" { ", a guess" } else { "" };
        for NumberedRegion { id, region } in &self.regions {
            let area = [
                (self.primary, "primary slot"),
                (self.secondary, "secondary slot"),
                (self.scratch, "scratch"),
            ];
            let name = area.into_iter().find(|(area, _)| *area == Some(*region));
            let name = name.map(|(_, name)| format!(", {name}{guess}")).unwrap_or_default();
            lines.field(
                &format!("region {id}"),
                format_args!("{:#x}, {:#x} bytes{name}", region.offset, region.size),
            );
        }
    }
}

impl SignatureInfo {
    fn of(signature: &Signature) -> Self {
        let (kind, key_sha256) = match signature {
            Signature::None => ("none", None),
            Signature::Key(key) => {
                let hash = PublicKey::from_der(&key.der).ok().map(|key| key.hash());
                (key.kind.name(), hash.map(|hash| Hex(&hash).to_string()))
            }
            Signature::KeyElsewhere(kind) => (kind.name(), None),
        };
        Self { kind, key_sha256 }
    }
}
