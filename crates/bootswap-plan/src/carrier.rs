//! What a carrier says about itself, and whether it fits a device.

use carrier_format::{LoaderRecord, Place};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSettings;
use flash_region::FlashAddr;

use crate::facts::DeviceFacts;

/// What an artifact must be that is started by the old bootloader, for messages.
pub const CARRIER: &str = "a carrier for this chip, as `bootswap image carrier` makes it";

/// What is known about a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CarrierContent {
    /// Chip in the header of its app, as the header's number.
    pub chip_id: u16,
    /// The flash settings that its target bootloader was built with.
    pub settings: FlashSettings,
    /// Address of the otadata by which its loader goes back; `None` if it does not.
    pub otadata: Option<FlashAddr>,
    /// Version of its app for anti-rollback.
    pub secure_version: u32,
    /// Whether its target is on trial.
    pub has_trial: bool,
}

/// Why a carrier does not fit a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// The target bootloader reads its flash settings from the header at the bootloader's address,
    /// which remains the old bootloader's, and was built with others.
    Settings {
        /// The old bootloader's.
        old: FlashSettings,
        /// The target bootloader's.
        target: FlashSettings,
        /// The chip.
        chip: Chip,
    },
    /// Its loader would go back by an otadata that is elsewhere: it would clear other bytes.
    Otadata {
        /// Where it believes otadata to be.
        named: FlashAddr,
        /// Where the device has otadata.
        found: FlashAddr,
    },
    /// An old bootloader with anti-rollback may refuse it: the migrator, which it has started, has
    /// a higher version.
    SecureVersion {
        /// The carrier's.
        found: u32,
        /// The migrator's.
        needed: u32,
    },
    /// Its target would be on trial, which this migration does not provide for.
    Trial,
}

impl CarrierContent {
    /// What a carrier's app and the header of its target bootloader say; `None` if the record is
    /// not that of a carrier.
    #[must_use]
    pub const fn new(
        chip_id: u16,
        secure_version: u32,
        record: &LoaderRecord,
        settings: FlashSettings,
    ) -> Option<Self> {
        match record.place {
            Some(Place::Carrier) => Some(Self {
                chip_id,
                settings,
                otadata: record.otadata,
                secure_version,
                has_trial: record.trial.is_some(),
            }),
            _ => None,
        }
    }

    /// Why it does not fit this device, as far as that is known.
    ///
    /// A device on which a record names no otadata has no way back if both copies are damaged; that
    /// is the owner's choice.
    #[must_use]
    pub fn misfit(&self, facts: &DeviceFacts<'_>) -> Option<Misfit> {
        let (target, chip) = (self.settings, facts.chip);
        if let Some(old) = facts.bootloader_settings.filter(|old| *old != target) {
            return Some(Misfit::Settings { old, target, chip });
        }
        let otadata = facts.otadata().map(flash_region::Region::start);
        if let (Some(named), Some(found)) = (self.otadata, otadata)
            && named != found
        {
            return Some(Misfit::Otadata { named, found });
        }
        if let Some(needed) = facts.secure_version.filter(|needed| *needed > self.secure_version) {
            return Some(Misfit::SecureVersion { found: self.secure_version, needed });
        }
        self.has_trial.then_some(Misfit::Trial)
    }
}
