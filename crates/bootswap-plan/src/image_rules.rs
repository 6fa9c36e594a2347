//! What MCUboot needs of an image in one of its slots.

use flash_region::Region;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::TrailerState;

use crate::migration::{Allow, McubootMap};

/// What MCUboot, as it was compiled, needs of an image in one of its slots to start it for good.
///
/// The planner asks about what is known of a file, the engine about what lies in flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageRules {
    /// Whether MCUboot starts the image only if a trailer asks for it: in the secondary slot, from
    /// which it is swapped or copied. In the primary an image is started without one.
    pub needs_trailer: bool,
    /// Whether a trailer that asks for a trial is enough.
    pub allows_trial: bool,
    /// Whether the image has to be signed.
    pub needs_signature: bool,
}

impl ImageRules {
    /// The rules for an image in `slot` of this map.
    #[must_use]
    pub fn new(map: &McubootMap<'_>, slot: Region, allow: &Allow<'_>) -> Self {
        Self {
            needs_trailer: slot == map.secondary,
            // Overwriting cannot be undone, so MCUboot does not ask whether it was confirmed.
            allows_trial: allow.test_image || map.swap == SwapKind::Overwrite,
            needs_signature: map.key_der.is_some(),
        }
    }

    /// Whether MCUboot starts an image with this trailer as the migration wants it.
    #[must_use]
    pub fn accepts(&self, trailer: TrailerState) -> bool {
        match trailer {
            TrailerState::CONFIRMED => true,
            TrailerState::PENDING => self.allows_trial || !self.needs_trailer,
            TrailerState::UNSET => !self.needs_trailer,
            // Anything else reads as a swap under way, or as one that was interrupted.
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
        let map = |swap| McubootMap {
            primary,
            secondary,
            scratch: None,
            swap,
            max_align_bytes: 8,
            key_der: None,
        };
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
            let rules = ImageRules::new(&map(swap), slot, &allow);
            let found = [TrailerState::CONFIRMED, TrailerState::PENDING, TrailerState::UNSET]
                .map(|state| rules.accepts(state));
            assert_eq!(found, wanted, "{swap}");
            assert!(!rules.needs_signature);
        }
        let keyed = McubootMap { key_der: Some(&[]), ..map(SwapKind::Scratch) };
        assert!(ImageRules::new(&keyed, primary, &strict).needs_signature);
    }
}
