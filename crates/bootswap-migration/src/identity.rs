//! `[migrator]`: version and project name of the packed migrator, which update channels compare.
//!
//! ```toml
//! [migrator]
//! version        = "2.0.0"       # newer than the old firmware's, where the channel wants that
//! project        = "sensor"      # its name, where the channel wants the same
//! secure_version = 3             # no less than the devices' eFuses, where anti-rollback is on
//! ```
//!
//! They are fields of the app description at the beginning of the image (`esp_app_desc_t`).

use std::fmt;

use esp_idf_format::FixedText;
use esp_idf_format::app_desc::{APP_DESC_OFFSET_BYTES, APP_DESC_TEXT_LEN_BYTES, AppDescription};

/// Most bytes of a version or a name: the last byte of the field ends the text.
pub const MAX_IDENTITY_LEN_BYTES: usize = APP_DESC_TEXT_LEN_BYTES - 1;

/// Fields of the migrator's app description that differ from those of the firmware image.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnedIdentity {
    /// Its version.
    pub version: Option<String>,
    /// Name of its project.
    pub project: Option<String>,
    /// Its version for anti-rollback.
    pub secure_version: Option<u32>,
}

/// A text that cannot be a version or a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityError;

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "write 1 to {MAX_IDENTITY_LEN_BYTES} ASCII characters: letters, digits and \
        punctuation"
        )
    }
}

impl std::error::Error for IdentityError {}

/// Checks a version or a name: it must have no spaces at its ends, which nobody would see.
///
/// # Errors
///
/// [`IdentityError`].
pub fn check_identity(text: &str) -> Result<(), IdentityError> {
    let is_printed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let is_good = (1..=MAX_IDENTITY_LEN_BYTES).contains(&text.len())
        && text.bytes().all(is_printed)
        && text.trim() == text;
    if is_good { Ok(()) } else { Err(IdentityError) }
}

impl OwnedIdentity {
    /// This identity, with missing fields taken from the other.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            version: self.version.or_else(|| other.version.clone()),
            project: self.project.or_else(|| other.project.clone()),
            secure_version: self.secure_version.or(other.secure_version),
        }
    }

    /// Writes it into the description of an app's image, whose checksums are wrong afterwards.
    pub(crate) fn write(&self, image: &mut [u8]) {
        let from = image.get_mut(APP_DESC_OFFSET_BYTES as usize..);
        let Some(place) = from.and_then(<[u8]>::first_chunk_mut) else { return };
        // Firmware without a description is refused when it is read.
        let Ok(old) = AppDescription::parse(place) else { return };
        let text = |text: &Option<String>| text.as_deref().and_then(FixedText::new);
        let new = AppDescription {
            secure_version: self.secure_version.unwrap_or(old.secure_version),
            version: text(&self.version).unwrap_or(old.version),
            project_name: text(&self.project).unwrap_or(old.project_name),
            ..old
        };
        new.write_over(place);
    }
}

#[cfg(test)]
mod tests {
    use esp_idf_format::app_desc::APP_DESC_LEN_BYTES;

    use super::*;

    #[test]
    fn only_what_is_said_is_written() {
        let text = |text: &str| FixedText::new(text).unwrap();
        let old = AppDescription {
            secure_version: 9,
            time: FixedText::new("12:00:00").unwrap(),
            ..AppDescription::new(text("bootswap-with-a-longer-name"), text("0.1.0"))
        };
        let image = |desc: &AppDescription| [&[0xe9; 32][..], &desc.to_bytes(), &[7; 9]].concat();
        let mut written = image(&old);
        OwnedIdentity::default().write(&mut written);
        assert_eq!(written, image(&old));
        let version = Some("2.0.0-rc1".to_owned());
        let identity =
            OwnedIdentity { version, project: Some("sensor".to_owned()), secure_version: Some(3) };
        identity.write(&mut written);
        let new = AppDescription {
            secure_version: 3,
            version: text("2.0.0-rc1"),
            project_name: text("sensor"),
            ..old
        };
        assert_eq!(written, image(&new));
        assert_eq!(AppDescription::parse(&written[32..][..APP_DESC_LEN_BYTES]), Ok(new));
    }

    #[test]
    fn texts_have_to_fit_and_be_seen() {
        for good in ["1", "v1.2.3+4 (lab)", &"x".repeat(31)] {
            assert_eq!(check_identity(good), Ok(()), "{good}");
        }
        for bad in ["", " 1", "1 ", "a\0", "a\n", "\u{e4}", &"x".repeat(32)] {
            assert_eq!(check_identity(bad), Err(IdentityError), "{bad:?}");
        }
    }
}
