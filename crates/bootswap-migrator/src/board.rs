//! What the migrator needs from the chip and the board around it.

use bootswap_engine::Veto;
use esp_idf_format::Chip;
use flash_region::FlashAddr;

use crate::News;

/// The chip and its board, as far as the migrator uses them.
pub trait Hardware {
    /// What can be found without reading flash.
    fn identity(&mut self) -> Identity;

    /// Whether this start follows a reset, such as that of the watchdog, a panic or a weak supply,
    /// and not the return of power. Hardware that does not know returns `false`.
    fn follows_reset(&mut self) -> bool {
        false
    }

    /// Feeds the watchdog.
    fn feed(&mut self);

    /// Waits, and feeds the watchdog meanwhile.
    fn delay_ms(&mut self, ms: u32) -> impl Future<Output = ()>;

    /// Checks whether the supply can be trusted for the next second, on boards that can measure it.
    ///
    /// # Errors
    ///
    /// [`Veto::WeakSupply`], or another reason for not overwriting the bootloader now.
    fn supply(&mut self) -> Result<(), Veto> {
        Ok(())
    }

    /// Makes the chip quiet for the commit: radio off, second core parked, watchdogs held off. It
    /// remains quiet until the next reset.
    fn quiet(&mut self) -> impl Future<Output = ()>;

    /// Receives every event. Boards with a light or a display show it.
    fn hears(&mut self, news: News<'_>) {
        let _ = news;
    }
}

/// What a chip reports about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The chip.
    pub chip: Chip,
    /// Its revision from the eFuses, major times 100 plus minor; `None` if it cannot be read.
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
