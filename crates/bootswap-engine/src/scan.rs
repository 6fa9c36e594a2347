//! Checks an artifact's bytes as they pass: when they are received, and again when flash is read
//! back.
//!
//! One [`Scan`] computes the file's digest and checks the format that the artifact's role requires.
//! The rules are those of the code that will read the artifact: MCUboot, or the mask ROM.

use bootswap_plan::{
    Artifact, CommitWay, Content, DeviceFacts, ImageRules, McubootMap, Migration, Role, reach_end,
};
use carrier_format::COPIES_OFFSET_BYTES;
use esp_idf_format::image::{EspImageHeader, FlashMode, ImageVerifier};
use flash_region::{ERASED, FlashAddr, Region, is_blank};
use mcuboot_format::espressif::LoadHeaderReader;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerLayout;
use mcuboot_format::{ImageValidator, SlotLimits};
use sha2::{Digest, Sha256};

use crate::ImageFault;
use crate::carrier::{CarrierFault, CarrierScan};

/// The rules for one artifact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// The artifact, as the migration names it.
    pub artifact: &'a Artifact<'a>,
    /// The slot that it is for, with MCUboot's requirements.
    pub slot: Option<SlotRules<'a>>,
    /// The device.
    pub facts: &'a DeviceFacts<'a>,
    /// Bytes that there is room for.
    pub room_bytes: u32,
    /// Offset in the file at which the ROM will find the bootloader, if it is in this file: a
    /// merged image may have something before it.
    pub boots_at: Option<u32>,
    /// End of what the target bootloader has to reach, where it is known.
    pub map_end: Option<FlashAddr>,
    /// Whether that is to be MCUboot.
    pub is_mcuboot: bool,
    /// Whether the file is a carrier.
    pub is_carrier: bool,
    /// The application that MCUboot will find in the file, if it reaches into the primary slot from
    /// before that.
    pub app: Option<AppPart<'a>>,
}

/// An application that is a part of a merged image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppPart<'a> {
    /// Offset of the primary slot in the file.
    pub at: u32,
    /// The slot.
    pub slot: Region,
    /// MCUboot's requirements for an image there.
    pub rules: SlotRules<'a>,
}

/// MCUboot's requirements for an image in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRules<'a> {
    /// Trailer of the slot, as if it began at address 0, so that addresses are file offsets.
    pub trailer: TrailerLayout,
    /// Longest image.
    pub limits: SlotLimits,
    /// Key that must have signed it.
    pub key: Option<&'a PublicKey>,
    /// Which trailers are accepted.
    pub image: ImageRules,
}

impl<'a> Rules<'a> {
    /// The rules for an artifact; `slot` is its final region if that is an MCUboot slot.
    pub(crate) fn new(
        migration: &'a Migration<'a>,
        facts: &'a DeviceFacts<'a>,
        artifact: &'a Artifact<'a>,
        slot: Option<Region>,
        room_bytes: u32,
        key: Option<&'a PublicKey>,
    ) -> Self {
        let slot = match (&migration.mcuboot, slot) {
            (Some(map), Some(slot)) => slot_rules(migration, facts, map, slot, key),
            _ => None,
        };
        let addr = facts.chip.bootloader_addr();
        let merged = artifact.dest.filter(|dest| dest.contains(addr));
        let is_carrier = (artifact.role, migration.commit) == (Role::Bootloader, CommitWay::Hosted);
        let boots_at = match artifact.role {
            Role::Bootloader if is_carrier => Some(COPIES_OFFSET_BYTES),
            Role::Bootloader => Some(0),
            Role::Application | Role::Other => merged.map(|dest| addr.bytes_since(dest.start())),
        };
        let map_end = reach_end(migration, facts);
        let is_mcuboot = migration.mcuboot.is_some();
        let app = match (&migration.mcuboot, merged, slot) {
            (Some(map), Some(dest), None) if dest.contains(map.primary.start()) => {
                let rules = slot_rules(migration, facts, map, map.primary, key);
                let at = map.primary.start().bytes_since(dest.start());
                rules.map(|rules| AppPart { at, slot: map.primary, rules })
            }
            _ => None,
        };
        Self { artifact, slot, facts, room_bytes, boots_at, map_end, is_mcuboot, is_carrier, app }
    }

    /// Whether the file contains the target bootloader, which must be MCUboot.
    fn boots_mcuboot(&self) -> bool {
        self.boots_at.is_some() && self.is_mcuboot
    }

    /// The bytes of the file that MCUboot ignores, if its image ends there: whole sectors after the
    /// image and before the trailer.
    pub(crate) fn padding(&self, image_end: u32) -> Option<(u32, u32)> {
        let slot = self.slot?;
        let first = image_end.checked_next_multiple_of(flash_region::SECTOR_BYTES)?;
        let last = slot.trailer.offset_bytes() & !(flash_region::SECTOR_BYTES - 1);
        (first < last).then_some((first, last))
    }

    /// Whether a run of the file from `offset` is such padding.
    pub(crate) fn is_padding(&self, offset: u32, len_bytes: u32, image_end: Option<u32>) -> bool {
        let padding = image_end.and_then(|image_end| self.padding(image_end));
        padding.is_some_and(|(first, last)| {
            first <= offset && offset.saturating_add(len_bytes) <= last
        })
    }
}

fn slot_rules<'a>(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    map: &McubootMap<'_>,
    slot: Region,
    key: Option<&'a PublicKey>,
) -> Option<SlotRules<'a>> {
    let file = Region::clamped(flash_region::FlashAddr::ZERO, slot.len_bytes());
    Some(SlotRules {
        trailer: map.trailer(file)?,
        limits: map.limits()?,
        key,
        image: ImageRules::new(map, slot, &migration.allow, facts.primary),
    })
}

/// The state of checking an artifact's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Scan<'a> {
    rules: Rules<'a>,
    sha256: Sha256,
    len_bytes: u32,
    kind: Kind<'a>,
    /// The application in a merged image.
    app: Option<(ImageValidator<'a>, LoadHeaderReader)>,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one of them at a time, and no allocator")]
enum Kind<'a> {
    /// Not known before the first byte.
    Open,
    /// An MCUboot image, with the requirements of Espressif's loader.
    Mcuboot(ImageValidator<'a>, LoadHeaderReader),
    /// An ESP image, possibly with more after it.
    Esp(ImageVerifier),
    /// A carrier, and how many of its headers were checked.
    Carrier(CarrierScan, u8),
    /// Bytes without a known format.
    Opaque,
}

/// How many bytes were scanned, and their digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scanned {
    /// Bytes scanned.
    pub len_bytes: u32,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl<'a> Scan<'a> {
    pub(crate) fn new(rules: Rules<'a>) -> Self {
        let kind = match (rules.slot, rules.boots_at) {
            (Some(slot), _) => Kind::Mcuboot(
                ImageValidator::new(slot.limits, slot.key),
                LoadHeaderReader::new(rules.facts.chip),
            ),
            (None, Some(_)) if rules.is_carrier => {
                Kind::Carrier(CarrierScan::new(rules.facts.chip), 0)
            }
            (None, Some(at)) => {
                let room_bytes = rules.room_bytes.saturating_sub(at);
                Kind::Esp(ImageVerifier::for_rom(rules.facts.chip, room_bytes))
            }
            (None, None) if rules.artifact.content == Some(Content::Opaque) => Kind::Opaque,
            (None, None) => Kind::Open,
        };
        let app = rules.app.map(|app| {
            let validator = ImageValidator::new(app.rules.limits, app.rules.key);
            (validator, LoadHeaderReader::new(rules.facts.chip))
        });
        Self { rules, sha256: Sha256::new(), len_bytes: 0, kind, app }
    }

    /// Scans the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ImageFault> {
        let Some(&first) = bytes.first() else { return Ok(()) };
        if self.len_bytes == 0 {
            let image = matches!(self.kind, Kind::Mcuboot(..) | Kind::Carrier(..))
                || self.rules.boots_at == Some(0);
            if looks_like_web_page(bytes, image) {
                return Err(ImageFault::WebPage);
            }
            if matches!(self.kind, Kind::Open) {
                let esp = first == esp_idf_format::image::IMAGE_MAGIC;
                self.kind = if esp { Kind::Esp(ImageVerifier::new()) } else { Kind::Opaque };
            }
        }
        let had_header = self.has_header();
        // What a merged image has before the bootloader is not part of the bootloader.
        let before = self.rules.boots_at.unwrap_or(0).saturating_sub(self.len_bytes) as usize;
        match &mut self.kind {
            Kind::Mcuboot(validator, load) => {
                validator.push(bytes).map_err(ImageFault::Mcuboot)?;
                load.push(bytes).map_err(ImageFault::Load)?;
            }
            Kind::Esp(verifier) => {
                let pushed = verifier.push(bytes.get(before..).unwrap_or_default());
                let header = verifier.header().filter(|_| !had_header).copied();
                // What the header says is told first: that an image is for another chip, and not
                // that this one has no memory where its segments go.
                header.map_or(Ok(()), |header| self.check_header(&header))?;
                pushed.map_err(ImageFault::Esp)?;
            }
            Kind::Carrier(carrier, headers) => {
                let pushed = carrier.push(bytes);
                let (header, count) = carrier.header(*headers);
                *headers = count;
                header.map_or(Ok(()), |header| self.check_header(&header))?;
                pushed.map_err(ImageFault::Carrier)?;
            }
            Kind::Open | Kind::Opaque => {}
        }
        if let (Some((validator, load)), Some(part)) = (&mut self.app, self.rules.app) {
            let before = part.at.saturating_sub(self.len_bytes) as usize;
            let bytes = bytes.get(before..).unwrap_or_default();
            validator.push(bytes).map_err(ImageFault::Mcuboot)?;
            load.push(bytes).map_err(ImageFault::Load)?;
        }
        self.is_padded(bytes)?;
        self.sha256.update(bytes);
        self.len_bytes = self.len_bytes.saturating_add(crate::medium::len_bytes(bytes));
        if had_header {
            return Ok(());
        }
        match &self.kind {
            Kind::Mcuboot(validator, _) => match (validator.header(), self.rules.slot) {
                (Some(header), Some(slot)) => slot
                    .image
                    .check_version(header.version)
                    .map_err(|over| ImageFault::Downgrade { version: header.version, over }),
                _ => Ok(()),
            },
            Kind::Esp(_) | Kind::Carrier(..) | Kind::Open | Kind::Opaque => Ok(()),
        }
    }

    /// Checks that the padding among these bytes is erased: padding is not written, and counts as
    /// erased when flash is read back.
    fn is_padded(&self, bytes: &[u8]) -> Result<(), ImageFault> {
        let Some((first, last)) = self.image_end().and_then(|end| self.rules.padding(end)) else {
            return Ok(());
        };
        let skip = first.saturating_sub(self.len_bytes) as usize;
        let end = last.saturating_sub(self.len_bytes) as usize;
        let padding = bytes.get(..end).unwrap_or(bytes).get(skip..).unwrap_or_default();
        if is_blank(padding) {
            return Ok(());
        }
        match padding.iter().zip(skip..).find(|(byte, _)| **byte != ERASED) {
            Some((&found, at)) => {
                let offset = self.len_bytes.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                Err(ImageFault::Padding { offset, found })
            }
            None => Ok(()),
        }
    }

    /// Its rules.
    pub(crate) fn rules(&self) -> &Rules<'a> {
        &self.rules
    }

    fn has_header(&self) -> bool {
        match &self.kind {
            Kind::Esp(verifier) => verifier.header().is_some(),
            Kind::Mcuboot(validator, _) => validator.header().is_some(),
            Kind::Carrier(..) | Kind::Open | Kind::Opaque => false,
        }
    }

    /// Checks an ESP image's header against the device.
    fn check_header(&self, header: &EspImageHeader) -> Result<(), ImageFault> {
        let facts = self.rules.facts;
        let wanted = facts.chip.image_chip_id();
        if header.chip_id != wanted {
            return Err(ImageFault::Chip { wanted, found: header.chip_id });
        }
        if self.rules.boots_at.is_none() {
            return Ok(());
        }
        if let Some(size) = header.flash_size()
            && size.bytes() > facts.flash().len_bytes()
        {
            let (wanted_bytes, found_bytes) = (size.bytes(), facts.flash().len_bytes());
            return Err(ImageFault::FlashSize { wanted_bytes, found_bytes });
        }
        let found_bytes = header.readable_flash_size().bytes();
        if let Some(map_end) = self.rules.map_end
            && map_end.get() > found_bytes
        {
            return Err(ImageFault::MapBehindFlash { map_end, found_bytes });
        }
        let runs_on = header.chip_revisions(facts.chip);
        if let Some(found) = facts.chip_revision
            && !runs_on.contains(&found)
        {
            let (min, max) = runs_on.into_inner();
            return Err(ImageFault::ChipRevision { min, max, found });
        }
        let unknown = |field, number| ImageFault::FlashSetting { field, number };
        if header.flash_mode().is_none() {
            return Err(unknown("mode", header.spi_mode));
        }
        if header.flash_freq().is_none() {
            return Err(unknown("frequency", header.spi_speed));
        }
        match (facts.bootloader_flash_mode, header.flash_mode()) {
            (Some(old), Some(new)) if wires(new) > wires(old) => Err(ImageFault::FlashMode),
            _ => Ok(()),
        }
    }

    /// End of an MCUboot image, once it is known.
    pub(crate) fn image_end(&self) -> Option<u32> {
        match &self.kind {
            Kind::Mcuboot(validator, _) => validator.image_end_bytes(),
            _ => None,
        }
    }

    /// Bytes of the file that the format needs, as far as is known so far.
    pub(crate) fn needed_bytes(&self) -> Option<u32> {
        match &self.kind {
            Kind::Mcuboot(validator, _) => Some(validator.needed_bytes()),
            Kind::Esp(verifier) => {
                let at = self.rules.boots_at.unwrap_or(0);
                verifier.total_len_bytes().map(|len_bytes| len_bytes.saturating_add(at))
            }
            Kind::Carrier(carrier, _) => carrier.total_len_bytes(),
            Kind::Open | Kind::Opaque => None,
        }
    }

    /// Whether bytes are certainly missing: the format knows its end, and it was not reached.
    pub(crate) fn is_short(&self) -> bool {
        let has_end = matches!(self.kind, Kind::Mcuboot(..) | Kind::Esp(_) | Kind::Carrier(..));
        has_end && !self.is_complete()
    }

    /// Whether the format needs no more bytes.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Mcuboot(validator, _) => validator.is_complete(),
            Kind::Esp(verifier) => verifier.is_complete(),
            Kind::Carrier(carrier, _) => carrier.is_complete(),
            Kind::Open | Kind::Opaque => false,
        }
    }

    /// Ends the scan: checks whether these are the bytes that the migration means, and whether they
    /// are usable.
    pub(crate) fn finish(self) -> Result<Scanned, ImageFault> {
        let Rules { artifact, .. } = self.rules;
        let len_bytes = self.len_bytes;
        if len_bytes == 0 {
            return Err(ImageFault::Empty);
        }
        if let Some(wanted_bytes) = artifact.len_bytes.filter(|&wanted| wanted != len_bytes) {
            return Err(ImageFault::Length { wanted_bytes, found_bytes: len_bytes });
        }
        let scanned = Scanned { len_bytes, sha256: self.sha256.finalize().into() };
        if let Some(wanted) = artifact.sha256.filter(|wanted| *wanted != scanned.sha256) {
            return Err(ImageFault::Digest { wanted: head(&wanted), found: head(&scanned.sha256) });
        }
        // A file may end before the end of its slot.
        if let (Some((validator, load)), Some(part)) = (self.app, self.rules.app)
            && len_bytes > part.at
        {
            validator.finish().map_err(ImageFault::Mcuboot)?;
            load.finish().map_err(ImageFault::Load)?;
        }
        // After an image's own digest, only the migration's digest covers the bytes.
        let vouched = match self.kind {
            Kind::Mcuboot(validator, load) => {
                validator.finish().map_err(ImageFault::Mcuboot)?;
                load.finish().map_err(ImageFault::Load)?;
                true
            }
            Kind::Esp(verifier) => {
                let info = verifier.finish().map_err(ImageFault::Esp)?;
                let esp_idf = info.bootloader_desc.is_some_and(|desc| desc.is_plausible());
                if esp_idf && self.rules.boots_mcuboot() {
                    return Err(ImageFault::NotMcuboot);
                }
                let at = self.rules.boots_at.unwrap_or(0);
                info.digest.is_some() && info.total_len_bytes.saturating_add(at) == len_bytes
            }
            Kind::Carrier(carrier, _) => {
                let total_len_bytes = carrier.total_len_bytes();
                let content = carrier.finish().map_err(ImageFault::Carrier)?;
                let unfit = content.misfit(self.rules.facts);
                unfit.map_or(Ok(()), |why| Err(ImageFault::Carrier(CarrierFault::Unfit(why))))?;
                total_len_bytes == Some(len_bytes)
            }
            Kind::Open | Kind::Opaque => false,
        };
        if vouched || artifact.sha256.is_some() { Ok(scanned) } else { Err(ImageFault::NoDigest) }
    }

    /// Skips this many bytes after an MCUboot image, which were hashed already: `sha256` is the
    /// digest's state with them.
    pub(crate) fn skip_padding(&mut self, len_bytes: u32, sha256: Sha256) {
        self.sha256 = sha256;
        self.len_bytes = self.len_bytes.saturating_add(len_bytes);
    }

    /// The digest's state: the file's SHA-256 if nothing follows.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256.clone()
    }
}

/// The start of a digest.
pub(crate) fn head(digest: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = *digest;
    [a, b, c, d]
}

/// Whether a file begins like a web page. For something that should be an image, one character is
/// enough; other files may begin with a bracket.
fn looks_like_web_page(bytes: &[u8], image: bool) -> bool {
    let begins = bytes.trim_ascii_start();
    let tags: [&[u8]; 4] = [b"<!doctype", b"<html", b"<head", b"<script"];
    let is =
        |tag: &[u8]| begins.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    (image && begins.first() == Some(&b'<')) || tags.into_iter().any(is)
}

/// Number of data lines of a flash mode.
fn wires(mode: FlashMode) -> u32 {
    match mode {
        FlashMode::Qio | FlashMode::Qout => 4,
        FlashMode::Dio | FlashMode::Dout => 2,
        FlashMode::FastRead | FlashMode::SlowRead => 1,
    }
}
