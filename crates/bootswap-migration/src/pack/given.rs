//! Checks a migrator that was packed before against the migration that it should contain.

use std::fmt;

use super::firmware::{Firmware, FirmwareError};
use super::migrator::PackError;
use super::sources::choose_sources;
use crate::owned::OwnedMigration;
use crate::sent::SentImage;

/// Why a file is not the migrator of a migration.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GivenError {
    /// It is not the firmware of a migrator.
    Firmware(FirmwareError),
    /// It has no image that can be sent out.
    Image(PackError),
    /// It was packed from another migration, or nothing was packed into it.
    OtherMigration,
}

/// Accepts the file as the migrator of a migration. Returns the migration that the migrator carries
/// out: with everything embedded if it was packed like that.
///
/// # Errors
///
/// A [`GivenError`].
pub fn given(
    migration: &OwnedMigration,
    file: Vec<u8>,
) -> Result<(OwnedMigration, SentImage), GivenError> {
    let chip = migration.chip;
    let sent = SentImage::packed(chip, &file);
    let firmware = Firmware::new(file, chip).map_err(GivenError::Firmware)?;
    let sent = sent.map_err(GivenError::Image)?;
    let there = firmware.image.get(firmware.section.clone()).unwrap_or_default();
    let carried_out = [false, true].into_iter().find_map(|embed| {
        let mut migration = migration.clone();
        choose_sources(&mut migration, None, embed).ok()?;
        let mut room = there.to_vec();
        let written = migration.with_config(|config| bootswap_config::encode(config, &mut room));
        let is_written = matches!(written, Ok(Ok(_)));
        (is_written && room == there).then_some(migration)
    });
    Ok((carried_out.ok_or(GivenError::OtherMigration)?, sent))
}

impl GivenError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Firmware(error) => error.help().to_owned(),
            Self::Image(error) => error.help(),
            Self::OtherMigration => {
                "pack the migrator again with `bootswap pack`, or name the migration that it was \
                 packed from"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for GivenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firmware(error) => error.fmt(f),
            Self::Image(error) => error.fmt(f),
            Self::OtherMigration => f.write_str(
                "the migration in this migrator is another one, or one of its files has changed \
                 since it was packed",
            ),
        }
    }
}

impl std::error::Error for GivenError {}
