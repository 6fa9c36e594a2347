//! `bootswap image verify`: one check after the other, and all of their results.

use std::fmt;
use std::path::Path;

use esp_idf_format::image::{self, FlashSize};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use esp_idf_format::{Chip, otadata::OtaData};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::espressif::LoadHeader;
use mcuboot_format::key::{KeyError, PrivateKey, PublicKey};
use mcuboot_format::trailer::{Flag, Magic, TrailerLayout, TrailerState};
use mcuboot_format::{SlotLimits, validate};
use serde::Serialize;

use super::esp::split;
use super::kind::{Kind, bootloader};
use super::lines::{Lines, hex};
use super::mcuboot::{ANY_SLOT, TrailerInfo};
use super::{migrator, read_known, read_text};
use crate::args::{TrailerArgs, VerifyArgs};
use crate::{Failure, Verdict, output};
use bootswap_migration::facts::{ChipId, bytes};

/// Runs the command.
pub(super) fn command(args: &VerifyArgs) -> Result<Verdict, Failure> {
    let (file, kind) = read_known(&args.file)?;
    refuse_useless(args, kind)?;
    let key = args.key.as_deref().map(public_key).transpose()?;
    let checks = match kind {
        Kind::McubootImage => mcuboot(&file, key.as_ref(), args)?,
        Kind::EspImage => esp_image(&file, args.chip),
        Kind::PartitionTable => vec![Check::new("partition table", table(&file, args.flash_size))],
        Kind::Otadata => vec![Check::new("otadata", otadata(&file))],
        Kind::FlashDump => dump(&file, args.chip),
    };
    let verification = Verification::new(kind, checks);
    if args.json {
        output::json(&verification)?;
    } else {
        output::text(&verification.to_string())?;
    }
    Ok(verification.verdict())
}

/// What `--json` prints. Keys are never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verification {
    /// `verified` or `failed`.
    pub outcome: &'static str,
    /// What the file is.
    pub kind: &'static str,
    /// Everything that was checked.
    pub checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// Whether it is good.
    pub good: bool,
    /// What was found, with its offset where something is wrong.
    pub message: String,
}

impl Check {
    fn new(what: &'static str, result: Result<String, String>) -> Self {
        let good = result.is_ok();
        Self { what, good, message: result.unwrap_or_else(|message| message) }
    }
}

impl Verification {
    fn new(kind: Kind, checks: Vec<Check>) -> Self {
        let outcome = if checks.iter().all(|check| check.good) { "verified" } else { "failed" };
        Self { outcome, kind: kind.name(), checks }
    }

    /// Whether every check was good.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.checks.iter().all(|check| check.good) { Verdict::Safe } else { Verdict::Unsafe }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::default();
        lines.line(format_args!("{}: {}", self.kind, self.outcome));
        lines.inside(|lines| {
            for Check { what, good, message } in &self.checks {
                let mark = if *good { "" } else { "FAILED: " };
                lines.field(what, format_args!("{mark}{message}"));
            }
        });
        lines.fmt(f)
    }
}

/// An option that has nothing to say about a file of this kind is a mistake worth telling.
fn refuse_useless(args: &VerifyArgs, kind: Kind) -> Result<(), Failure> {
    let is_mcuboot = kind == Kind::McubootImage;
    let options = [
        ("--key", args.key.is_some(), is_mcuboot),
        ("--slot-size", args.slot_size.is_some(), is_mcuboot),
        (
            "--swap, --align, --max-align or --max-sectors",
            args.trailer != TrailerArgs::default(),
            is_mcuboot,
        ),
        ("--chip", args.chip.is_some(), matches!(kind, Kind::EspImage | Kind::FlashDump)),
        ("--flash-size", args.flash_size.is_some(), kind == Kind::PartitionTable),
    ];
    match options.into_iter().find(|(_, given, useful)| *given && !useful) {
        None => Ok(()),
        Some((option, ..)) => Err(Failure::input(
            format_args!(
                "{}: {option} says nothing about this file, which is: {kind}",
                args.file.display()
            ),
            "leave the option out, or name another file",
        )),
    }
}

/// The public key in a PEM file, of a private one too.
fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let pem = read_text(path)?;
    let key = match PublicKey::from_pem(&pem) {
        Err(KeyError::PemLabel | KeyError::Pem) => {
            PrivateKey::from_pem(&pem).map(|key| key.public_key())
        }
        key => key,
    };
    key.map_err(|error| {
        Failure::input(
            format_args!("{}: {error}", path.display()),
            "name a key of ECDSA P-256, Ed25519, RSA-2048 or RSA-3072 as PEM, without passphrase",
        )
    })
}

fn mcuboot(file: &[u8], key: Option<&PublicKey>, args: &VerifyArgs) -> Result<Vec<Check>, Failure> {
    // A file that ends as a slot does is one.
    let padded = || TrailerInfo::of(file).filter(|t| t.max_align == args.trailer.max_align);
    let slot_size = args.slot_size.or_else(|| padded().map(|trailer| trailer.slot_size));
    let layout = slot_size.map(|slot_len_bytes| {
        let slot = Region::clamped(FlashAddr::ZERO, slot_len_bytes);
        TrailerLayout::new(slot, args.trailer.config()).map_err(|error| {
            Failure::input(
                error,
                "give --slot-size, --align, --max-align and --swap as the bootloader was built with",
            )
        })
    });
    let layout = layout.transpose()?;
    let limits =
        layout.as_ref().map_or(ANY_SLOT, |layout| SlotLimits::new(layout, layout, SECTOR_BYTES));
    let image = validate(file, limits, key).map_err(|error| error.to_string());
    let mut checks = Vec::new();
    if let Ok(image) = &image {
        let end = image.header.tlv_offset_bytes().unwrap_or(u32::MAX);
        let payload = file.get(usize::from(image.header.hdr_size)..).unwrap_or_default();
        if let Ok(header) = LoadHeader::parse(payload) {
            let loads = header.check(end).map_err(|error| error.to_string());
            checks.push(Check::new(
                "load header",
                loads.map(|()| format!("starts at {:#x}", header.entry_addr)),
            ));
        }
    }
    if let Some(layout) = &layout {
        checks.extend(trailer(file, layout).map(|result| Check::new("trailer", result)));
    }
    let image = image.map(|image| {
        let signed = match image.signed_by {
            Some(_) => "hash and signature are right",
            None => "hash is right, signatures were not checked",
        };
        format!("version {}, {:#x} bytes, {signed}", image.header.version, image.image_end_bytes)
    });
    checks.insert(0, Check::new("image", image));
    Ok(checks)
}

/// The trailer of a file that is as long as the slot; `None` for a shorter one, which has none.
fn trailer(file: &[u8], layout: &TrailerLayout) -> Option<Result<String, String>> {
    let slot_len = layout.slot().len_bytes() as usize;
    if file.len() < slot_len {
        return None;
    }
    if file.len() > slot_len {
        return Some(Err(format!("the file has {:#x} bytes, the slot {slot_len:#x}", file.len())));
    }
    let state = match TrailerState::parse(layout, file) {
        Ok(state) => state,
        Err(error) => return Some(Err(error.to_string())),
    };
    let magic_at = layout.magic();
    Some(match (state.magic, state.image_ok) {
        (Magic::Good, Flag::Set) => Ok("confirmed".to_owned()),
        (Magic::Good, Flag::Unset) => {
            Ok("pending: tried once, then reverted unless confirmed".to_owned())
        }
        (Magic::Good, Flag::Bad) => {
            Err(format!("image_ok at offset {} is neither set nor unset", layout.image_ok()))
        }
        (Magic::Unset, _) => Ok("none, so MCUboot does not look at the image yet".to_owned()),
        (Magic::Bad, _) => {
            Err(format!("the magic at offset {magic_at} is not the one for this alignment"))
        }
    })
}

/// An ESP image, and what a migrator has in it and behind it.
fn esp_image(file: &[u8], chip: Option<Chip>) -> Vec<Check> {
    let mut checks = vec![Check::new("image", esp(file, chip))];
    if let Ok(info) = image::verify(file) {
        let (image, behind) = split(file, &info);
        checks.extend(migrator::check(image, behind).map(|c| Check::new("configuration", c)));
    }
    checks
}

fn esp(file: &[u8], chip: Option<Chip>) -> Result<String, String> {
    let info = image::verify(file).map_err(|error| error.to_string())?;
    let found = ChipId(info.header.chip_id);
    if let Some(chip) = chip.filter(|chip| chip.image_chip_id() != info.header.chip_id) {
        return Err(format!("chip at offset 12 is {found}, not {chip}"));
    }
    let digest = info.digest.map_or("checksum is right, no SHA-256".to_owned(), |digest| {
        format!("checksum and SHA-256 are right, {}", hex(&digest))
    });
    Ok(format!("for {found}, {:#x} bytes, {digest}", info.total_len_bytes))
}

fn table(file: &[u8], flash_size: Option<FlashSize>) -> Result<String, String> {
    let table = PartitionTable::parse(file).map_err(|error| error.to_string())?;
    if let Some(size) = flash_size {
        table.check_fits(size.bytes()).map_err(|error| error.to_string())?;
    }
    let md5 = if table.has_md5() { "its MD5 is right" } else { "it has no MD5" };
    Ok(format!("{} partitions, {md5}", table.len()))
}

fn otadata(file: &[u8]) -> Result<String, String> {
    let (first, second) = file.split_at_checked(SECTOR_BYTES as usize).unwrap_or((file, &[]));
    // The number of slots decides which one is meant, not which entry counts.
    match OtaData::parse(first, second).select(1) {
        Some(selection) => Ok(format!("entry {} is in force", selection.entry_index)),
        None => Ok("no entry is in force, the factory app is started".to_owned()),
    }
}

/// What a device with this flash needs to start: bootloader, table, and an app.
fn dump(flash: &[u8], chip: Option<Chip>) -> Vec<Check> {
    let boot = match (chip, bootloader(flash)) {
        (None, None) => Err("no whole bootloader at 0x0 or 0x1000".to_owned()),
        (None, Some(chip)) => esp(bytes(flash, chip.bootloader_region()), None),
        (Some(chip), _) => esp(bytes(flash, chip.bootloader_region()), Some(chip))
            .map_err(|error| format!("at {}: {error}", chip.bootloader_addr())),
    };
    let raw_table = bytes(flash, Region::clamped(TABLE_ADDR, TABLE_LEN_BYTES));
    let size = u32::try_from(flash.len()).ok().and_then(FlashSize::from_bytes);
    let sound = table(raw_table, size).map_err(|error| format!("at {TABLE_ADDR}: {error}"));
    let mut checks = vec![Check::new("bootloader", boot), Check::new("partition table", sound)];
    let partitions = PartitionTable::parse_as_bootloader(raw_table).into_iter().flatten();
    let apps: Vec<Check> =
        partitions.filter(Partition::is_app).filter_map(|p| app(&p, flash)).collect();
    // Remains of an update that was broken off are no fault as long as something starts.
    if apps.iter().any(|app| app.good) {
        checks.extend(apps.into_iter().filter(|app| app.good));
    } else if apps.is_empty() {
        checks.push(Check::new("app", Err("no app partition holds an image".to_owned())));
    } else {
        checks.extend(apps);
    }
    checks
}

/// The image in an app partition; `None` if it does not begin like one.
fn app(partition: &Partition, flash: &[u8]) -> Option<Check> {
    let held = bytes(flash, partition.region);
    let result = match Kind::of_partition(held)? {
        Kind::EspImage => esp(held, None),
        Kind::McubootImage => validate(held, ANY_SLOT, None)
            .map(|image| format!("MCUboot image, version {}", image.header.version))
            .map_err(|error| error.to_string()),
        _ => return None,
    };
    let place = |message| format!("{} at {}: {message}", partition.label, partition.region.start());
    Some(Check::new("app", result.map(place).map_err(place)))
}
