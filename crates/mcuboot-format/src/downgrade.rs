//! Whether a bootloader that was built to prevent downgrades lets an image replace another.
//!
//! ```text
//!                      primary          secondary        the secondary is
//! version              1.2.3+4          1.2.3+0          taken
//!                      1.2.4            1.2.3            erased
//!                      ESP-IDF app      0.0.255          erased: the app reads as 0.0.256
//!                      erased           any but the last erased: it reads as 255.255.65535
//! security counter     none             none             taken
//!                      2                none             erased
//!                      2                1                erased
//! ```
//!
//! The swaps (scratch, move, offset) ask when an image is swapped in, for a test or for good, and
//! never when one is swapped back. Overwriting asks before every copy, compares versions even if it
//! was built for counters, and lets any image into an erased primary.
//!
//! From `check_downgrade_prevention` and `boot_validate_slot`, boot/bootutil/src/loader.c, and
//! `boot_compare_version`, bootutil_loader.c beside it.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use crate::bytes::array;
use crate::{ImageHeader, ImageVersion, SwapKind};

/// What a bootloader compares before it replaces an image (`MCUBOOT_DOWNGRADE_PREVENTION`,
/// boot/espressif/hal/include/mcuboot_config/mcuboot_config.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum DowngradePrevention {
    /// Nothing. The default of Espressif's port.
    #[default]
    None,
    /// Versions without their build numbers.
    Version,
    /// Versions with their build numbers (`MCUBOOT_VERSION_CMP_USE_BUILD_NUMBER`).
    VersionAndBuild,
    /// Security counters (`MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER`).
    SecurityCounter,
}

/// What is compared: an image, or whatever else is in its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ImageRank {
    /// Its version.
    pub version: ImageVersion,
    /// Its security counter, if there is one among its protected TLVs.
    pub security_counter: Option<u32>,
    /// Whether its first word is erased.
    pub is_erased: bool,
}

impl ImageRank {
    /// What MCUboot reads from the first bytes of a slot: it takes them for a header without
    /// looking at the magic. An ESP-IDF app with a digest is version 0.0.256.
    ///
    /// The security counter is not in the header and stays `None`, which is right for an ESP-IDF
    /// app.
    #[must_use]
    pub fn of_slot(start: &[u8; ImageHeader::LEN_BYTES]) -> Self {
        Self {
            version: ImageVersion::from_bytes(array(start, 20).unwrap_or_default()),
            security_counter: None,
            is_erased: start.first_chunk::<4>().is_some_and(|magic| flash_region::is_blank(magic)),
        }
    }
}

impl DowngradePrevention {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::None, Self::Version, Self::VersionAndBuild, Self::SecurityCounter];

    /// The name that configuration files use: `none`, `version`, `version-and-build` or
    /// `security-counter`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Version => "version",
            Self::VersionAndBuild => "version-and-build",
            Self::SecurityCounter => "security-counter",
        }
    }

    /// The kind of that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether security counters are compared; a bootloader that overwrites compares versions.
    #[must_use]
    pub fn counts(self, swap: SwapKind) -> bool {
        self == Self::SecurityCounter && swap != SwapKind::Overwrite
    }

    /// Whether the bootloader lets `new`, in the secondary, replace `old`, in the primary. If not,
    /// it erases the whole secondary.
    #[must_use]
    pub fn admits(self, swap: SwapKind, old: &ImageRank, new: &ImageRank) -> bool {
        if self == Self::None || (swap == SwapKind::Overwrite && old.is_erased) {
            return true;
        }
        if self.counts(swap) {
            return match (old.security_counter, new.security_counter) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(old), Some(new)) => old <= new,
            };
        }
        let order = match self {
            Self::VersionAndBuild => new.version.cmp(&old.version),
            _ => new.version.cmp_as_bootutil(&old.version),
        };
        order != Ordering::Less
    }
}

impl fmt::Display for DowngradePrevention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DowngradePrevention {
    type Err = UnknownDowngradePrevention;

    fn from_str(name: &str) -> Result<Self, UnknownDowngradePrevention> {
        Self::from_name(name).ok_or(UnknownDowngradePrevention)
    }
}

/// A name that no [`DowngradePrevention`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownDowngradePrevention;

impl fmt::Display for UnknownDowngradePrevention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown kind of downgrade prevention, expected one of none, version, \
             version-and-build, security-counter",
        )
    }
}

impl core::error::Error for UnknownDowngradePrevention {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(version: &str, security_counter: Option<u32>) -> ImageRank {
        ImageRank { version: version.parse().unwrap(), security_counter, is_erased: false }
    }

    /// The first bytes of an ESP-IDF app: `hash_appended` is the last of its 24-byte header.
    fn esp_idf_app() -> ImageRank {
        let mut start = [0; 32];
        start[0] = 0xe9;
        start[23] = 1;
        start[24..28].copy_from_slice(&0x3c00_0020_u32.to_le_bytes());
        ImageRank::of_slot(&start)
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in DowngradePrevention::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("counter".parse::<DowngradePrevention>(), Err(UnknownDowngradePrevention));
    }

    #[test]
    fn an_esp_idf_app_is_version_0_0_256() {
        let app = esp_idf_app();
        assert_eq!(app.version.to_bytes()[..4], [0, 0, 0, 1]);
        for swap in SwapKind::ALL {
            let admits = |kind: DowngradePrevention, new| kind.admits(swap, &app, &rank(new, None));
            assert!(!admits(DowngradePrevention::Version, "0.0.255+9"), "{swap}");
            assert!(admits(DowngradePrevention::Version, "0.0.256"), "{swap}");
            // The address of its first segment is read as the build number.
            assert!(!admits(DowngradePrevention::VersionAndBuild, "0.0.256"), "{swap}");
            assert!(admits(DowngradePrevention::VersionAndBuild, "0.0.257"), "{swap}");
            assert!(admits(DowngradePrevention::None, "0.0.0"), "{swap}");
        }
    }

    #[test]
    fn an_erased_primary_stops_swaps_alone() {
        let erased = ImageRank::of_slot(&[0xff; 32]);
        let kind = DowngradePrevention::Version;
        for swap in SwapKind::ALL {
            let admits = kind.admits(swap, &erased, &rank("9.9.9", None));
            assert_eq!(admits, swap == SwapKind::Overwrite, "{swap}");
        }
    }

    #[test]
    fn build_numbers_count_where_they_were_built_to() {
        let (old, new) = (rank("1.2.3+5", None), rank("1.2.3+4", None));
        let admits = |kind: DowngradePrevention| kind.admits(SwapKind::Scratch, &old, &new);
        assert!(admits(DowngradePrevention::Version));
        assert!(!admits(DowngradePrevention::VersionAndBuild));
    }

    #[test]
    fn counters_decide_swaps_and_versions_decide_overwriting() {
        let kind = DowngradePrevention::SecurityCounter;
        let swap = |old, new| kind.admits(SwapKind::Move, &rank("2.0.0", old), &rank("1.0.0", new));
        assert!(swap(None, None) && swap(None, Some(0)) && swap(Some(3), Some(3)));
        assert!(!swap(Some(0), None) && !swap(Some(3), Some(2)));
        let overwrite =
            |old, new| kind.admits(SwapKind::Overwrite, &rank(old, Some(9)), &rank(new, None));
        assert!(overwrite("1.0.0", "1.0.0") && !overwrite("1.0.1", "1.0.0"));
    }
}
