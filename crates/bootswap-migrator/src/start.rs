//! The start of the migrator on its chip, in the order in which whatever hangs or resets the chip
//! counts as an attempt.
//!
//! ```text
//!   Unwatched --watch--> Watched              the watchdog ends what hangs from here on
//!       configuration, first line             the console shows who is running
//!   Watched --open--> flash, board
//!       Migrator::prepare --> Ready           the attempt is counted, in flash
//!   Card --start, with Ready--> a network     see `network::bring_up`
//! ```
//!
//! A chip cannot leave this order: each step needs what the one before it gives.

use bootswap_config::{Config, LogLevel, Storage, decode};
use bootswap_engine::Buffers;
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::Chip;

use crate::{CommitWindow, Hardware, Log, LogSink, Migrator, Ready, Room};

/// A chip under the ESP-IDF bootloader of which nothing has been started.
pub trait Unwatched {
    /// The chip with a watchdog.
    type Watched: Watched;

    /// Starts the watchdog, and whatever else resets a chip that cannot go on.
    fn watch(self) -> Self::Watched;
}

/// A chip whose watchdog runs.
pub trait Watched {
    /// Its flash.
    type Flash: NorFlash;
    /// The chip and its board.
    type Board: Hardware;

    /// Gets at flash and board; `None` if there is nothing to migrate and the chip is to be reset.
    fn open(self, log: Log<'_>) -> impl Future<Output = Option<(Self::Flash, Self::Board)>>;
}

/// What the migrator is given: its configuration, memory, and a console.
#[expect(missing_debug_implementations, reason = "a console need not have one")]
pub struct Given<'s, 'd> {
    /// The section that `bootswap pack` wrote the configuration into.
    pub section: &'d [u8],
    /// Room for what the configuration lists.
    pub storage: &'s mut Storage<'d>,
    /// Room for facts and plan.
    pub room: &'s mut Room,
    /// Memory for the engine.
    pub buffers: &'s mut Buffers,
    /// Whether the commit window may be open, for code outside of the migrator.
    pub window: &'s CommitWindow,
    /// Where lines are printed.
    pub console: &'s dyn LogSink,
    /// Version of the firmware, for the first line.
    pub version: &'s str,
    /// Chip that the firmware is built for.
    pub chip: Chip,
}

/// A migrator whose attempt is counted: everything but a network.
#[expect(missing_debug_implementations, reason = "flash and board need not have one")]
pub struct Started<'s, F, B> {
    /// The flash.
    pub flash: F,
    /// The chip and its board.
    pub board: B,
    /// The console.
    pub log: Log<'s>,
    /// Memory for the engine.
    pub buffers: &'s mut Buffers,
    /// The configuration.
    pub config: Config<'s>,
    /// Facts, plan, and the counted attempt.
    pub ready: Ready<'s>,
}

/// Does everything that cannot hang: watchdog, first line, configuration, plan, and counting the
/// attempt. Returns `None` if there is nothing to do but to reset the chip.
///
/// # Power-fail safety
///
/// That of [`Migrator::prepare`]: only the journal is written, and otadata if the device goes back.
pub async fn start<'s, 'd: 's, U: Unwatched>(
    chip: U,
    given: Given<'s, 'd>,
) -> Option<Started<'s, <U::Watched as Watched>::Flash, <U::Watched as Watched>::Board>> {
    let watched = chip.watch();
    let Given { section, storage, room, buffers, window, console, version, chip } = given;
    let config = decode(section, storage);
    let level = config.as_ref().map_or(LogLevel::default(), |config| config.log_level);
    let log = Log::new(console, level);
    log.info(format_args!("bootswap {version} for {chip}"));
    let (mut flash, mut board) = watched.open(log).await?;
    let mut migrator =
        Migrator { flash: &mut flash, board: &mut board, log, window, buffers: &mut *buffers };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            migrator.without_config(&error).await;
            return None;
        }
    };
    let ready = migrator.prepare(&config.migration, 0, room).await?;
    Some(Started { flash, board, log, buffers, config, ready })
}
