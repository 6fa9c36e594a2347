//! The step that confirms an image, so that MCUboot swaps it in for good.

use embedded_storage_async::nor_flash::NorFlash;
use mcuboot_format::trailer::{Flag, Magic, TrailerLayout};

use crate::item::Placed;
use crate::work::Work;
use crate::{Failure, ImageFault, trailers};

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
    // A magic inside the file is part of the file: writing one would change its digest. So would
    // making a flag of what is none.
    let inside = trailer.slot().start().saturating_add(known.len_bytes) > trailer.magic();
    if inside {
        let found = trailers::read(work.medium, trailer).await?;
        if found.magic != Magic::Good || found.image_ok == Flag::Bad {
            return Err(placed.failure(ImageFault::Trailer));
        }
    }
    trailers::confirm(work.medium, trailer).await
}
