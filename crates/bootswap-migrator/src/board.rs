//! What the migrator asks of the chip and the board around it.

use bootswap_engine::Veto;
use esp_idf_format::Chip;
use flash_region::FlashAddr;

use crate::News;

/// The chip and its board, as far as the migrator has to do with them.
pub trait Hardware {
    /// What can be found out without reading flash.
    fn identity(&mut self) -> Identity;

    /// Whether a reset brought about this start, as of the watchdog, a panic or a weak supply, and
    /// not the return of power. A hardware that does not know says that it was power.
    fn follows_reset(&mut self) -> bool {
        false
    }

    /// Feeds the watchdog.
    fn feed(&mut self);

    /// Waits, and feeds the watchdog meanwhile.
    fn delay_ms(&mut self, ms: u32) -> impl Future<Output = ()>;

    /// Whether the supply can be trusted for the next second. Boards that can measure it say so
    /// here.
    ///
    /// # Errors
    ///
    /// [`Veto::WeakSupply`], or another reason for not overwriting the bootloader now.
    fn supply(&mut self) -> Result<(), Veto> {
        Ok(())
    }

    /// Makes the chip quiet for the commit: radio off, second core parked, watchdogs held off. It
    /// stays so until the next reset.
    fn quiet(&mut self) -> impl Future<Output = ()>;

    /// Hears what happens. Boards with a light or a display show it.
    fn hears(&mut self, news: News<'_>) {
        let _ = news;
    }
}

/// What a chip says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The chip.
    pub chip: Chip,
    /// Its revision from the eFuses, major times 100 plus minor; `None` where it cannot be read.
    pub chip_revision: Option<u16>,
    /// Size of the flash in bytes, from its JEDEC identification.
    pub flash_len_bytes: u32,
    /// First byte of the running image, from the memory mapping of the cache.
    pub image_start: FlashAddr,
    /// Whether secure boot is enabled in the eFuses.
    pub secure_boot: bool,
    /// Whether flash encryption is enabled in the eFuses.
    pub flash_encryption: bool,
}
