//! Checks whether the contents of a slot may be booted, and erases them if MCUboot does.

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::trailer::SwapType;
use mcuboot_format::{
    IMAGE_MAGIC, ImageHeader, ImageValidator, SwapKind, ValidImage, ValidateError,
};

use crate::areas::{COPY_BYTES, Order, Step, chunk};
use crate::loader::Loader;
use crate::progress::Progress;
use crate::{AreaName, BootEvent, Unbootable};

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Checks the image of a slot without changing anything (`boot_validate_slot`,
    /// boot/bootutil/src/loader.c, as it treats the primary).
    pub(crate) fn validate(
        &mut self,
        slot: AreaName,
    ) -> Step<Result<ImageHeader, Unbootable>, F::Error> {
        let header = *self.header(slot);
        if header.is_erased() {
            return Ok(Err(Unbootable::Erased));
        }
        if header.is_non_bootable() {
            return Ok(Err(Unbootable::NonBootable));
        }
        let verdict = match header.image() {
            Ok(_) => self.validate_image(slot)?,
            Err(error) => Err(error.into()),
        };
        Ok(match verdict {
            Ok(image) => Ok(image.header),
            Err(error) => {
                let why = Unbootable::Image(error);
                self.report(BootEvent::ImageInvalid { slot, why });
                Err(why)
            }
        })
    }

    /// Checks the secondary's image, and erases it if it is refused (`boot_validate_slot`).
    /// `expected` is the type of swap that it is needed for, if that was not read from a status.
    ///
    /// # Power-fail safety
    /// The slot is erased from its start, header first and trailer last. A cut leaves a trailer
    /// that asks for an image that has no header; the next boot erases the trailer then.
    pub(crate) fn validate_secondary(
        &mut self,
        progress: &Progress,
        expected: Option<SwapType>,
    ) -> Step<bool, F::Error> {
        let slot = AreaName::Secondary;
        let swap = self.areas.config.swap();
        let header = *self.header(slot);
        if header.is_erased() || header.is_non_bootable() {
            if swap != SwapKind::Overwrite {
                self.areas.erase_trailer(slot)?;
                self.report(BootEvent::SecondaryTrailerErased);
            }
            // There is no image to go back to, and the revert would be asked for at every boot.
            let stuck = swap == SwapKind::Move
                && (progress.is_revert() || self.swap_type()? == SwapType::Revert);
            if stuck {
                self.areas.erase_trailer(AreaName::Primary)?;
                self.report(BootEvent::StuckRevertCleared);
            }
            return Ok(false);
        }
        let is_new = matches!(expected, Some(SwapType::Test | SwapType::Permanent));
        if swap == SwapKind::Offset && is_new && self.starts_with_magic(slot)? {
            self.report(BootEvent::WrongUploadAddress);
        } else if swap == SwapKind::Overwrite && self.is_downgrade()? {
            // MCUboot asks this before it looks at the image, for any type of swap.
        } else if self.validate(slot)?.is_ok() {
            return Ok(true);
        }
        self.erase_secondary()?;
        Ok(false)
    }

    /// Erases all of the secondary slot (`boot_scramble_slot`, boot/bootutil/src/bootutil_area.c).
    ///
    /// # Power-fail safety
    /// As [`validate_secondary`](Self::validate_secondary).
    pub(crate) fn erase_secondary(&mut self) -> Step<(), F::Error> {
        let slot = AreaName::Secondary;
        let len_bytes = self.areas.len_bytes(slot);
        self.areas.erase(slot, 0, len_bytes, Order::Forward)?;
        self.report(BootEvent::SecondaryErased);
        Ok(())
    }

    fn starts_with_magic(&mut self, slot: AreaName) -> Step<bool, F::Error> {
        let mut magic = [0; 4];
        self.areas.read(slot, 0, &mut magic)?;
        Ok(u32::from_le_bytes(magic) == IMAGE_MAGIC)
    }

    /// Streams the image through the validator, from where its header was found.
    fn validate_image(
        &mut self,
        slot: AreaName,
    ) -> Step<Result<ValidImage, ValidateError>, F::Error> {
        let config = self.areas.config;
        let end = self.areas.len_bytes(slot);
        let mut at = self.image_offset(slot);
        let mut validator = ImageValidator::new(config.limits_in(slot), config.key());
        let mut buffer = [0; COPY_BYTES];
        while at < end && !validator.is_complete() {
            let piece = chunk(&mut buffer, end - at);
            self.areas.read(slot, at, piece)?;
            if let Err(error) = validator.push(piece) {
                return Ok(Err(error));
            }
            at += COPY_BYTES as u32;
        }
        Ok(validator.finish())
    }
}
