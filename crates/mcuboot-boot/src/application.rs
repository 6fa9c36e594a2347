//! What the running application tells the bootloader through the trailers.
//!
//! MCUboot does none of this itself. It is here because a simulated application needs it, and
//! because it shows what the trailers mean (`boot_set_next`, boot/bootutil/src/bootutil_public.c).

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, SwapType};

use crate::areas::{Areas, Step, Stop};
use crate::{AreaName, BootConfig};

/// Marks the image in the primary slot as one to keep, as an application does when it has found
/// that it works (`boot_set_confirmed`). Returns whether it is marked now.
///
/// Without a good magic in the primary's trailer there is no swap to confirm, and nothing is
/// written.
///
/// # Power-fail safety
/// One write unit is programmed. If that is torn, the flag may be bad, which counts as not set. The
/// next boot does not revert all the same, because a revert needs the flag erased.
///
/// # Errors
/// The first error of the flash.
pub fn confirm<F: NorFlash>(flash: &mut F, config: &BootConfig) -> Result<bool, F::Error> {
    unless_stopped((|| {
        let mut areas = Areas::new(flash, config);
        let trailer = areas.trailer(AreaName::Primary)?;
        if trailer.magic != Magic::Good {
            return Ok(false);
        }
        if trailer.image_ok == Flag::Unset {
            areas.write_image_ok(AreaName::Primary)?;
        }
        Ok(trailer.image_ok != Flag::Bad)
    })())
}

/// Asks for the image in the secondary slot to be swapped in at the next boot, for good or to try
/// it once (`boot_set_pending`). Returns whether the next boot will swap.
///
/// A swap that was already asked for is not changed. A trailer with a bad magic is left alone: the
/// slot has to be erased first.
///
/// # Power-fail safety
/// The magic is programmed first, as bootutil does. A cut after it leaves a request for a test.
///
/// # Errors
/// The first error of the flash.
pub fn request_swap<F: NorFlash>(
    flash: &mut F,
    config: &BootConfig,
    for_good: bool,
) -> Result<bool, F::Error> {
    unless_stopped((|| {
        let mut areas = Areas::new(flash, config);
        let slot = AreaName::Secondary;
        match areas.trailer(slot)?.magic {
            Magic::Good => Ok(true),
            Magic::Bad => Ok(false),
            Magic::Unset => {
                areas.write_magic(slot)?;
                if for_good {
                    areas.write_image_ok(slot)?;
                }
                let swap_type = if for_good { SwapType::Permanent } else { SwapType::Test };
                areas.write_swap_info(slot, SwapInfo::new(swap_type))?;
                Ok(true)
            }
        }
    })())
}

fn unless_stopped<E>(step: Step<bool, E>) -> Result<bool, E> {
    match step {
        Ok(done) => Ok(done),
        Err(Stop::Flash(error)) => Err(error),
        // This cannot happen: a trailer's fields are inside the slot that the layout was made for.
        Err(Stop::Crash(_)) => Ok(false),
    }
}
