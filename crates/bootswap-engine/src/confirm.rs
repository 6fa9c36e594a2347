//! The step that confirms an image, so that MCUboot swaps it in for good.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, is_blank};
use mcuboot_format::trailer::{FLAG_SET, Magic, TrailerLayout};

use crate::item::Placed;
use crate::work::Work;
use crate::{Failure, ImageFault, trailers};

/// Bytes that are programmed for a flag: drivers need whole words.
pub(crate) const FLAG_WRITE_LEN: usize = 4;

/// Whether these bytes can contain, or contain, a set flag.
pub(crate) fn takes_flag(bytes: &[u8; FLAG_WRITE_LEN]) -> bool {
    let [flag, rest @ ..] = bytes;
    matches!(*flag, ERASED | FLAG_SET) && is_blank(rest)
}

/// Completes the trailer of the image in the artifact's slot.
///
/// # Power-fail safety
///
/// That of [`trailers::confirm`]: a flag or magic may be half written, and the next run completes
/// it.
pub(crate) async fn confirm<F: NorFlash, P>(
    work: &mut Work<'_, '_, F, P>,
    placed: &Placed<'_>,
    trailer: &TrailerLayout,
) -> Result<(), Failure<F::Error>> {
    let known = work.fetched(placed)?;
    // What is inside of the file is part of it. A flag can be set in it if the bytes allow it; a
    // magic cannot be written, since that would change the file's digest.
    let end = trailer.slot().start().saturating_add(known.len_bytes);
    let found = trailers::read(work.medium, trailer).await?;
    let mut flag = [0; FLAG_WRITE_LEN];
    work.medium.read(trailer.image_ok(), &mut flag).await?;
    let is_blocked = end > trailer.image_ok() && !takes_flag(&flag);
    if is_blocked || (end > trailer.magic() && found.magic != Magic::Good) {
        return Err(placed.failure(ImageFault::Trailer));
    }
    trailers::confirm(work.medium, trailer).await
}
