//! What MCUboot needs of an image in one of its slots.

use flash_region::Region;
use mcuboot_format::trailer::TrailerState;
use mcuboot_format::{DowngradePrevention, ImageRank, ImageVersion, SwapKind};

use crate::facts::ESP_IDF_APP;
use crate::migration::{Allow, McubootMap};

/// What MCUboot, as it was compiled, needs of an image in one of its slots to start it for good.
///
/// The planner applies them to what is known about a file, the engine to what is in flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageRules {
    /// Whether MCUboot starts the image only if a trailer requests it: in the secondary slot, from
    /// which it is swapped or copied. In the primary slot, an image is started without a trailer.
    pub needs_trailer: bool,
    /// Whether a trailer that requests a trial is enough.
    pub allows_trial: bool,
    /// Whether the image must be signed.
    pub needs_signature: bool,
    /// What the image must not be older than, if it is swapped in or copied and MCUboot compares
    /// versions.
    pub replaced: Option<Replaced>,
}

/// What an image replaces, and how MCUboot compares the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    prevention: DowngradePrevention,
    swap: SwapKind,
    /// What is in the primary slot.
    pub rank: ImageRank,
}

impl ImageRules {
    /// The rules for an image in `slot` of this map; `primary` is
    /// [`DeviceFacts::primary`](crate::DeviceFacts::primary).
    #[must_use]
    pub fn new(
        map: &McubootMap<'_>,
        slot: Region,
        allow: &Allow<'_>,
        primary: Option<ImageRank>,
    ) -> Self {
        let prevention = map.downgrade_prevention;
        let compares = slot == map.secondary && prevention != DowngradePrevention::None;
        let rank = primary.unwrap_or(ESP_IDF_APP);
        Self {
            replaced: compares.then_some(Replaced { prevention, swap: map.swap, rank }),
            needs_trailer: slot == map.secondary,
            // Overwriting cannot be undone, so MCUboot does not check whether the image was
            // confirmed.
            allows_trial: allow.test_image || map.swap == SwapKind::Overwrite,
            needs_signature: map.key_der.is_some(),
        }
    }

    /// Checks whether MCUboot lets an image of that version replace what is in the primary slot.
    ///
    /// A security counter need not be known: nothing that may be in the primary slot before a
    /// migration has one, and then MCUboot accepts any image.
    ///
    /// # Errors
    ///
    /// The lowest version that is accepted, as far as MCUboot compares it.
    pub fn check_version(&self, version: ImageVersion) -> Result<(), ImageVersion> {
        let Some(Replaced { prevention, swap, rank }) = self.replaced else { return Ok(()) };
        let new = ImageRank { version, security_counter: None, is_erased: false };
        if prevention.admits(swap, &rank, &new) {
            return Ok(());
        }
        let counts_builds = prevention == DowngradePrevention::VersionAndBuild;
        let build_num = if counts_builds { rank.version.build_num } else { 0 };
        Err(ImageVersion { build_num, ..rank.version })
    }

    /// Whether MCUboot starts an image with this trailer as the migration wants it.
    #[must_use]
    pub fn accepts(&self, trailer: TrailerState) -> bool {
        match trailer {
            TrailerState::CONFIRMED => true,
            TrailerState::PENDING => self.allows_trial || !self.needs_trailer,
            TrailerState::UNSET => !self.needs_trailer,
            // Any other trailer reads as a swap in progress, or as one that was interrupted.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use flash_region::FlashAddr;

    use super::*;

    #[test]
    fn a_trailer_is_needed_in_the_secondary_slot() {
        let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
        let (primary, secondary) = (slot(0x1_0000), slot(0x11_0000));
        let map =
            |swap| McubootMap { primary, secondary, scratch: None, swap, ..McubootMap::ESPRESSIF };
        let trial = Allow { test_image: true, ..Allow::default() };
        let strict = Allow::default();
        // Confirmed, on trial, without a trailer.
        for (swap, slot, allow, wanted) in [
            (SwapKind::Scratch, secondary, strict, [true, false, false]),
            (SwapKind::Scratch, secondary, trial, [true, true, false]),
            (SwapKind::Overwrite, secondary, strict, [true, true, false]),
            (SwapKind::Scratch, primary, strict, [true, true, true]),
            (SwapKind::Move, primary, trial, [true, true, true]),
        ] {
            let rules = ImageRules::new(&map(swap), slot, &allow, None);
            let found = [TrailerState::CONFIRMED, TrailerState::PENDING, TrailerState::UNSET]
                .map(|state| rules.accepts(state));
            assert_eq!(found, wanted, "{swap}");
            assert!(!rules.needs_signature);
        }
        let keyed = McubootMap { key_der: Some(&[]), ..map(SwapKind::Scratch) };
        assert!(ImageRules::new(&keyed, primary, &strict, None).needs_signature);
    }

    #[test]
    fn an_image_replaces_what_is_not_newer() {
        let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
        let (primary, secondary) = (slot(0x1_0000), slot(0x11_0000));
        let check = |swap, prevention, slot, rank, version| {
            let map = McubootMap {
                primary,
                secondary,
                swap,
                downgrade_prevention: prevention,
                ..McubootMap::ESPRESSIF
            };
            ImageRules::new(&map, slot, &Allow::default(), rank).check_version(version)
        };
        let version = ImageVersion::new;
        let esp_idf_app = Err(version(0, 0, 256));
        let erased = Some(crate::primary_rank(&[0xff; 32]));
        // The migration erases MCUboot's own image.
        let mut image = [0; 32];
        image[..4].copy_from_slice(&mcuboot_format::IMAGE_MAGIC.to_le_bytes());
        let image = Some(crate::primary_rank(&image));
        let without_digest = Some(crate::primary_rank(&[0; 32]));
        use DowngradePrevention::{None as Off, SecurityCounter, Version, VersionAndBuild};
        use SwapKind::{Overwrite, Scratch};
        for (swap, prevention, slot, rank, new, wanted) in [
            (Scratch, Version, secondary, None, version(0, 0, 255), esp_idf_app),
            (Scratch, Version, secondary, None, version(0, 0, 256), Ok(())),
            (Overwrite, Version, secondary, None, version(0, 0, 0), esp_idf_app),
            (Overwrite, SecurityCounter, secondary, None, version(0, 0, 0), esp_idf_app),
            (Scratch, SecurityCounter, secondary, None, version(0, 0, 0), Ok(())),
            (Scratch, Off, secondary, None, version(0, 0, 0), Ok(())),
            (Scratch, Version, primary, None, version(0, 0, 0), Ok(())),
            (Scratch, Version, secondary, without_digest, version(0, 0, 0), Ok(())),
            (Scratch, Version, secondary, erased, version(9, 0, 0), Err(version(255, 255, 65535))),
            (Scratch, Version, secondary, image, version(9, 0, 0), Err(version(255, 255, 65535))),
            (Overwrite, Version, secondary, erased, version(0, 0, 0), Ok(())),
        ] {
            let found = check(swap, prevention, slot, rank, new);
            assert_eq!(found, wanted, "{swap} {prevention} {slot} {new}");
        }
        let build = check(Scratch, VersionAndBuild, secondary, None, version(0, 0, 256));
        assert_eq!(build, Err(ESP_IDF_APP.version));
    }
}
