//! Verifies a file: runs all checks, and returns all of their results.

mod check;
mod esp;
mod flash;
mod mcuboot;
mod wanted;

use mcuboot_format::trailer::TrailerError;

use super::kind::{FileKind, from_zero};

pub use check::{Check, Verification};
pub use wanted::Wanted;

/// Checks a file of that kind.
///
/// # Errors
///
/// A [`TrailerError`] if no slot can have the trailer that is asked for. A check that fails is not
/// an error but part of the [`Verification`].
pub fn verify(
    file: &[u8],
    kind: FileKind,
    wanted: &Wanted<'_>,
) -> Result<Verification, TrailerError> {
    let mut assumed = Vec::new();
    let checks = match kind {
        FileKind::McubootImage => mcuboot::mcuboot(file, wanted)?,
        FileKind::EspImage => esp::esp_image(file, wanted, &mut assumed),
        FileKind::PartitionTable => {
            vec![Check::new("partition table", flash::table(file, wanted.flash_size))]
        }
        FileKind::Otadata => vec![Check::new("otadata", flash::otadata(file))],
        FileKind::FactoryImage => flash::factory(&from_zero(file), wanted.chip),
        FileKind::FlashDump => flash::dump(file, wanted.chip),
    };
    Ok(Verification::new(kind, checks, assumed))
}
