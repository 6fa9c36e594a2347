//! Decides whether MCUboot would accept an image, while the image streams past.
//!
//! ```text
//!                    protect_tlv_size > 0
//! Header -> Payload -> AreaHeader -> (TlvHeader -> Value)*
//!              |               protected                 |
//!              | otherwise                               v
//!              `-----------------------------------> AreaHeader -> (TlvHeader -> Value)* -> Done
//! |<----------------- hashed ---------------------->|          unprotected
//! ```
//!
//! The bytes come in pieces of any length (from the network on their way to flash, and again from
//! flash), and are read once. Only a hash, one TLV and what the image says about itself are kept.
//!
//! The rules are those of Espressif's MCUboot (boot/bootutil/src/image_validate.c, tlv.c,
//! bootutil_loader.c; boot/espressif/hal/include/mcuboot_config/mcuboot_config.h), so that whatever
//! it would refuse, and erase, is refused here. The rules here are stricter than bootutil's in
//! cases that no tool writes: `hdr_size` below 32, a protected TLV that runs out of its area, a
//! security counter or a dependency of the wrong length, a signature in malformed ASN.1.

mod dependencies;
mod error;
mod found;

pub use dependencies::{Dependencies, MAX_DEPENDENCIES};
pub use error::ValidateError;
pub use found::ValidImage;

use sha2::{Digest, Sha256};

use crate::bytes::{array, put};
use crate::key::PublicKey;
use crate::tlv::{AreaHeader, TlvError, TlvHeader};
use crate::{ImageHeader, SlotLimits};
use found::Found;

/// The largest value that is kept, in bytes: an RSA-3072 signature.
const MAX_VALUE_LEN_BYTES: usize = 384;

const IMAGE_HEADER_LEN_BYTES: u32 = ImageHeader::LEN_BYTES as u32;

/// Validates an image given as a whole; bytes after its end do not matter.
///
/// # Errors
/// As [`ImageValidator::push`] and [`ImageValidator::finish`].
pub fn validate(
    image: &[u8],
    limits: SlotLimits,
    key: Option<&PublicKey>,
) -> Result<ValidImage, ValidateError> {
    let mut validator = ImageValidator::new(limits, key);
    validator.push(image)?;
    validator.finish()
}

/// Decides whether a bootloader would accept an image.
///
/// It takes less than 1 KiB of memory. The [`push`](Self::push) that brings the last byte of a
/// signature checks it, which on the chip takes tens of milliseconds and some KiB of stack.
#[derive(Clone, Debug)]
pub struct ImageValidator<'k> {
    limits: SlotLimits,
    key: Option<&'k PublicKey>,
    sha256: Sha256,
    stage: Stage,
    /// Offsets from the start of the slot: of the stage's first byte, of the next byte wanted, and
    /// of the byte after the stage's last.
    stage_start: u32,
    position: u32,
    stage_end: u32,
    /// The stage's bytes up to `position`, if the stage is one that is kept.
    kept: [u8; MAX_VALUE_LEN_BYTES],
    header: Option<ImageHeader>,
    image_end: Option<u32>,
    found: Found,
    failed: Option<ValidateError>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Header,
    Payload,
    AreaHeader { protected: bool },
    TlvHeader(Area),
    Value { area: Area, tlv: TlvHeader, offset: u32, kept: bool },
    Done,
}

/// The area that is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Area {
    protected: bool,
    end: u32,
}

impl<'k> ImageValidator<'k> {
    /// Starts at the image's first byte. `key` is the one that the bootloader holds; a bootloader
    /// without one checks the hash only, and so does this.
    #[must_use]
    pub fn new(limits: SlotLimits, key: Option<&'k PublicKey>) -> Self {
        Self {
            limits,
            key,
            sha256: Sha256::new(),
            stage: Stage::Header,
            stage_start: 0,
            position: 0,
            stage_end: IMAGE_HEADER_LEN_BYTES,
            kept: [0; MAX_VALUE_LEN_BYTES],
            header: None,
            image_end: None,
            found: Found::default(),
            failed: None,
        }
    }

    /// Takes the next bytes. Those after the image's end are ignored.
    ///
    /// # Errors
    /// The first thing found wrong, and from then on the same each time.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ValidateError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.take(bytes).inspect_err(|error| self.failed = Some(*error)),
        }
    }

    /// Whether all of the image was seen.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// How many bytes an image that goes on like this one has at least: exact once
    /// [`image_end_bytes`](Self::image_end_bytes) is known.
    #[must_use]
    pub fn needed_bytes(&self) -> u32 {
        let by_header = |header: &ImageHeader| {
            header.hashed_len_bytes().unwrap_or(u32::MAX).saturating_add(AreaHeader::LEN_BYTES)
        };
        self.image_end
            .or_else(|| self.header.as_ref().map(by_header))
            .unwrap_or(IMAGE_HEADER_LEN_BYTES)
    }

    /// The image's header, once it was seen and found good.
    #[must_use]
    pub const fn header(&self) -> Option<&ImageHeader> {
        self.header.as_ref()
    }

    /// Where the image ends, TLVs included; known once payload and protected TLVs were seen.
    #[must_use]
    pub const fn image_end_bytes(&self) -> Option<u32> {
        self.image_end
    }

    /// Ends the validation.
    ///
    /// # Errors
    /// What [`push`](Self::push) found wrong; [`ValidateError::Truncated`];
    /// [`ValidateError::HashMissing`]; and with a key, where no signature of it is good,
    /// [`ValidateError::Unsigned`], [`ValidateError::OtherKey`] or
    /// [`ValidateError::SignatureInvalid`].
    pub fn finish(self) -> Result<ValidImage, ValidateError> {
        match (self.failed, self.header, self.image_end) {
            (Some(error), ..) => Err(error),
            (None, Some(header), Some(image_end)) if self.is_complete() => {
                self.found.conclude(header, image_end, self.key)
            }
            _ => Err(ValidateError::Truncated {
                len_bytes: self.position,
                needed_bytes: self.needed_bytes(),
            }),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), ValidateError> {
        while !self.is_complete() {
            if self.position == self.stage_end {
                self.step()?;
                continue;
            }
            let wanted = usize::try_from(self.stage_end - self.position).unwrap_or(usize::MAX);
            match bytes.split_at_checked(wanted.min(bytes.len())) {
                None | Some(([], _)) => break,
                Some((now, later)) => {
                    self.consume(now);
                    bytes = later;
                }
            }
        }
        Ok(())
    }

    /// Takes bytes that all belong to the current stage.
    fn consume(&mut self, bytes: &[u8]) {
        let (hashed, kept) = match self.stage {
            Stage::Header => (true, true),
            Stage::Payload => (true, false),
            Stage::AreaHeader { protected } => (protected, true),
            Stage::TlvHeader(area) => (area.protected, true),
            Stage::Value { area, kept, .. } => (area.protected, kept),
            Stage::Done => (false, false),
        };
        if hashed {
            self.sha256.update(bytes);
        }
        if kept {
            // Never too long: `Found::wants` keeps no value that does not fit, and nothing else is
            // longer than a header.
            let at = usize::try_from(self.position - self.stage_start).unwrap_or(usize::MAX);
            let _ = put(&mut self.kept, at, bytes);
        }
        // In range: `bytes` is at most what is left of the stage.
        self.position = self.position.saturating_add(bytes.len() as u32);
    }

    /// Ends the current stage, all of which was seen, and enters the next.
    fn step(&mut self) -> Result<(), ValidateError> {
        match self.stage {
            Stage::Header => {
                let header = self.check_header()?;
                // In range: the check saw that the sum is below the slot's length.
                let payload_end = header.tlv_offset_bytes().unwrap_or(u32::MAX);
                self.enter(Stage::Payload, payload_end.saturating_sub(self.position));
            }
            Stage::Payload => {
                let protected = self.header.is_some_and(|header| header.protect_tlv_size > 0);
                self.enter(Stage::AreaHeader { protected }, AreaHeader::LEN_BYTES);
            }
            Stage::AreaHeader { protected } => {
                let area = self.check_area(protected)?;
                self.enter_tlv(area)?;
            }
            Stage::TlvHeader(area) => {
                let tlv = TlvHeader::from_bytes(array(&self.kept, 0).unwrap_or_default());
                let offset = self.stage_start;
                tlv.end_bytes(offset, area.end)?;
                let protected_end = if area.protected { area.end } else { 0 };
                let kept = self.found.wants(tlv, offset, protected_end, self.key)?;
                self.enter(Stage::Value { area, tlv, offset, kept }, u32::from(tlv.len_bytes));
            }
            Stage::Value { area, tlv, offset, kept } => {
                if kept && let Some(value) = self.kept.get(..usize::from(tlv.len_bytes)) {
                    self.found.take(tlv.tlv_type, offset, value, self.key)?;
                }
                self.enter_tlv(area)?;
            }
            Stage::Done => {}
        }
        Ok(())
    }

    fn enter(&mut self, stage: Stage, len_bytes: u32) {
        self.stage = stage;
        self.stage_start = self.position;
        self.stage_end = self.position.saturating_add(len_bytes);
    }

    /// Enters the next TLV of the area, or what follows the area.
    fn enter_tlv(&mut self, area: Area) -> Result<(), ValidateError> {
        let (offset_bytes, area_end_bytes) = (self.position, area.end);
        match area_end_bytes.saturating_sub(offset_bytes) {
            0 if area.protected => {
                self.enter(Stage::AreaHeader { protected: false }, AreaHeader::LEN_BYTES);
            }
            0 => self.enter(Stage::Done, 0),
            1..TlvHeader::LEN_BYTES => {
                return Err(TlvError::HalfHeader { offset_bytes, area_end_bytes }.into());
            }
            _ => self.enter(Stage::TlvHeader(area), TlvHeader::LEN_BYTES),
        }
        Ok(())
    }

    fn check_header(&mut self) -> Result<ImageHeader, ValidateError> {
        let header = ImageHeader::parse(&self.kept)?;
        header.check(self.limits.slot_len_bytes)?;
        self.header = Some(header);
        // The least that the image can take: an image that is too long is refused at its first
        // bytes.
        self.check_len(self.needed_bytes())?;
        Ok(header)
    }

    fn check_area(&mut self, protected: bool) -> Result<Area, ValidateError> {
        let header = self.header.unwrap_or_default();
        let bytes = array(&self.kept, 0).unwrap_or_default();
        let offset_bytes = self.stage_start;
        let area = AreaHeader::parse(bytes, offset_bytes, &header, protected)?;
        let end = offset_bytes.saturating_add(u32::from(area.len_bytes));
        if !protected {
            self.check_len(end)?;
            self.image_end = Some(end);
            self.found.sha256 = core::mem::take(&mut self.sha256).finalize().into();
        }
        Ok(Area { protected, end })
    }

    fn check_len(&self, len_bytes: u32) -> Result<(), ValidateError> {
        let max_len_bytes = self.limits.max_image_len_bytes;
        if len_bytes > max_len_bytes {
            return Err(ValidateError::TooLong { len_bytes, max_len_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
