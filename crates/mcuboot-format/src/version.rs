//! The version of an image, `major.minor.revision+build`.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// The version in an image header (`struct image_version`, boot/bootutil/include/bootutil/image.h).
///
/// ```text
/// 0       1       2               4                               8
/// | major | minor |   revision    |           build_num           |
/// ```
///
/// It is read from and printed as `1.2.3+4`; what follows the major number may be left out, as with
/// imgtool. The derived order counts the build number; MCUboot by default does not, see
/// [`cmp_as_bootutil`](Self::cmp_as_bootutil).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ImageVersion {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub revision: u16,
    /// The number after the plus sign.
    pub build_num: u32,
}

impl ImageVersion {
    /// Bytes that a version takes in flash.
    pub const LEN_BYTES: usize = 8;

    /// The version with that major, minor and revision number, and build number 0.
    #[must_use]
    pub const fn new(major: u8, minor: u8, revision: u16) -> Self {
        Self { major, minor, revision, build_num: 0 }
    }

    /// The version in 8 bytes of flash. Every bit pattern is valid.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN_BYTES]) -> Self {
        let [major, minor, r0, r1, b0, b1, b2, b3] = bytes;
        Self {
            major,
            minor,
            revision: u16::from_le_bytes([r0, r1]),
            build_num: u32::from_le_bytes([b0, b1, b2, b3]),
        }
    }

    /// The 8 bytes of the version in flash.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN_BYTES] {
        let [r0, r1] = self.revision.to_le_bytes();
        let [b0, b1, b2, b3] = self.build_num.to_le_bytes();
        [self.major, self.minor, r0, r1, b0, b1, b2, b3]
    }

    /// The security counter that `imgtool sign --security-counter auto` makes of the version.
    #[must_use]
    pub const fn security_counter(self) -> u32 {
        u32::from_be_bytes([self.major, self.minor, 0, 0]) + self.revision as u32
    }

    /// Compares as MCUboot does for downgrade prevention and dependencies: without the build number
    /// (`boot_compare_version` without `MCUBOOT_VERSION_CMP_USE_BUILD_NUMBER`,
    /// boot/bootutil/src/bootutil_loader.c).
    #[must_use]
    pub fn cmp_as_bootutil(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.revision).cmp(&(other.major, other.minor, other.revision))
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, revision, build_num } = self;
        write!(f, "{major}.{minor}.{revision}+{build_num}")
    }
}

impl FromStr for ImageVersion {
    type Err = VersionError;

    /// Reads `major[.minor[.revision[+build]]]`, decimal, without leading zeros
    /// (imgtool/version.py).
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut rest = Some((text, 0));
        let mut next = |part: VersionPart| -> Result<u32, VersionError> {
            let Some((tail, offset)) = rest.take() else { return Ok(0) };
            let digits = match part.separator().and_then(|sign| tail.split_once(sign)) {
                Some((digits, behind)) => {
                    rest = Some((behind, offset + digits.len() + 1));
                    digits
                }
                None => tail,
            };
            part.number(digits, offset)
        };
        // Each number was checked against its part's largest one, so the narrowing keeps its value.
        Ok(Self {
            major: next(VersionPart::Major)? as u8,
            minor: next(VersionPart::Minor)? as u8,
            revision: next(VersionPart::Revision)? as u16,
            build_num: next(VersionPart::Build)?,
        })
    }
}

/// A number of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionPart {
    /// The first, 0 to 255.
    Major,
    /// The second, 0 to 255.
    Minor,
    /// The third, 0 to 65,535.
    Revision,
    /// The one after the plus sign, 0 to 2^32 - 1.
    Build,
}

impl VersionPart {
    const fn max(self) -> u32 {
        match self {
            Self::Major | Self::Minor => u8::MAX as u32,
            Self::Revision => u16::MAX as u32,
            Self::Build => u32::MAX,
        }
    }

    /// What separates this number from the next.
    const fn separator(self) -> Option<char> {
        match self {
            Self::Major | Self::Minor => Some('.'),
            Self::Revision => Some('+'),
            Self::Build => None,
        }
    }

    fn number(self, digits: &str, offset: usize) -> Result<u32, VersionError> {
        let malformed = digits.is_empty()
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
            || (digits.len() > 1 && digits.starts_with('0'));
        if malformed {
            return Err(VersionError::NotANumber { part: self, offset });
        }
        match digits.parse() {
            Ok(number) if number <= self.max() => Ok(number),
            _ => Err(VersionError::TooLarge { part: self, offset, max: self.max() }),
        }
    }
}

impl fmt::Display for VersionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Revision => "revision",
            Self::Build => "build",
        })
    }
}

/// Why a text is not a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VersionError {
    /// A decimal number without leading zeros is missing.
    NotANumber {
        /// The number that is expected.
        part: VersionPart,
        /// Where in the text, in bytes.
        offset: usize,
    },
    /// The number does not fit its field.
    TooLarge {
        /// Which number.
        part: VersionPart,
        /// Where in the text, in bytes.
        offset: usize,
        /// The largest number that fits.
        max: u32,
    },
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber { part, offset } => {
                write!(f, "version: no decimal {part} number at character {offset}")
            }
            Self::TooLarge { part, offset, max } => {
                write!(f, "version: {part} number at character {offset} is above {max}")
            }
        }
    }
}

impl core::error::Error for VersionError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    fn parse(text: &str) -> Result<ImageVersion, VersionError> {
        text.parse()
    }

    #[test]
    fn parts_from_the_right_may_be_missing() {
        let full = ImageVersion { major: 1, minor: 2, revision: 3, build_num: 4 };
        assert_eq!(parse("1.2.3+4"), Ok(full));
        assert_eq!(parse("1.2.3"), Ok(ImageVersion { build_num: 0, ..full }));
        assert_eq!(parse("1.2"), Ok(ImageVersion::new(1, 2, 0)));
        assert_eq!(parse("0"), Ok(ImageVersion::default()));
    }

    #[test]
    fn errors_say_which_number_and_where() {
        let bad = |part, offset| Err(VersionError::NotANumber { part, offset });
        assert_eq!(parse(""), bad(VersionPart::Major, 0));
        assert_eq!(parse("1."), bad(VersionPart::Minor, 2));
        assert_eq!(parse("1.02"), bad(VersionPart::Minor, 2));
        assert_eq!(parse("1.2.3.4"), bad(VersionPart::Revision, 4));
        assert_eq!(parse("1.2+3"), bad(VersionPart::Minor, 2));
        assert_eq!(parse("1.2.3+4+5"), bad(VersionPart::Build, 6));
        let large = |part, offset, max| Err(VersionError::TooLarge { part, offset, max });
        assert_eq!(parse("256"), large(VersionPart::Major, 0, 255));
        assert_eq!(parse("1.2.65536"), large(VersionPart::Revision, 4, 65_535));
        assert_eq!(parse("1.2.3+4294967296"), large(VersionPart::Build, 6, u32::MAX));
    }

    #[test]
    fn a_security_counter_keeps_the_order_of_versions() {
        assert_eq!(ImageVersion::new(1, 2, 3).security_counter(), 0x0102_0003);
        assert_eq!(ImageVersion::new(255, 255, 65_535).security_counter(), u32::MAX);
    }

    #[test]
    fn mcuboot_ignores_the_build_number() {
        let (old, new) = (parse("1.2.3+4").unwrap(), parse("1.2.3+5").unwrap());
        assert_eq!(old.cmp_as_bootutil(&new), Ordering::Equal);
        assert!(old < new);
        assert_eq!(old.cmp_as_bootutil(&ImageVersion::new(1, 3, 0)), Ordering::Less);
    }

    proptest! {
        #[test]
        fn text_and_bytes_keep_the_version(major: u8, minor: u8, revision: u16, build_num: u32) {
            let version = ImageVersion { major, minor, revision, build_num };
            prop_assert_eq!(parse(&version.to_string()), Ok(version));
            prop_assert_eq!(ImageVersion::from_bytes(version.to_bytes()), version);
        }

        #[test]
        fn what_is_read_prints_as_itself(text in r"\PC{0,12}|[0-9.+]{0,12}") {
            if let Ok(version) = parse(&text) {
                prop_assert_eq!(parse(&version.to_string()), Ok(version));
            }
        }
    }
}
