//! The migrator on the ESP32 family: an app under the ESP-IDF bootloader.
//!
//! ```text
//!   main   clocks, console, and what runs futures               entry.rs
//!     `--> start   configuration, flash, board, network       this file
//!            `--> Migrator::migrate                            bootswap-migrator
//! ```
#![no_std]
#![no_main]

mod board;
mod chip;
mod console;
mod entry;
mod flash;
mod network;
#[cfg(feature = "_network")]
mod online;
mod panic;
#[cfg(not(feature = "wifi"))]
mod polled;
#[cfg(target_arch = "riscv32")]
mod registers;
#[cfg(feature = "stack-use")]
mod stack_use;

use bootswap_config::{Config, ConfigError, LogLevel, Section, Storage, decode};
use bootswap_engine::{Buffers, Source};
use bootswap_migrator::{CommitWindow, Log, Migrator};
use esp_hal::peripherals::{Peripherals, RTC_TIMER};
use static_cell::ConstStaticCell;

use board::EspBoard;
use console::Console;
use flash::Flash;
use network::Radio;

esp_bootloader_esp_idf::esp_app_desc!(
    env!("CARGO_PKG_VERSION"),
    "bootswap",
    // No time and date, so that the same sources make the same image.
    "-",
    "-",
    esp_bootloader_esp_idf::ESP_IDF_COMPATIBLE_VERSION,
    esp_bootloader_esp_idf::MMU_PAGE_SIZE,
    0,
    u16::MAX,
    esp_bootloader_esp_idf::SECURE_VERSION
);

/// `bootswap pack` writes the configuration into this.
static CONFIG: Section = Section::empty();
/// Whether a reset would find half a bootloader.
static WINDOW: CommitWindow = CommitWindow::new();
static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

/// What every migration needs from the chip.
struct Parts {
    flash: Flash,
    rtc_timer: RTC_TIMER<'static>,
    log: Log<'static>,
    buffers: &'static mut Buffers,
}

/// Does everything up to the reset.
async fn start(peripherals: Peripherals) {
    chip::reset_on_brownout();
    let mut storage = Storage::default();
    let config = decode(CONFIG.bytes(), &mut storage);
    let level = config.as_ref().map_or(LogLevel::default(), |config| config.log_level);
    // Safety: the engine does not write to the migrator's own image.
    let flash = unsafe { Flash::new(peripherals.FLASH) };
    let log = Log::new(&Console, level);
    let parts = Parts { flash, rtc_timer: peripherals.RTC_TIMER, log, buffers: BUFFERS.take() };
    match config {
        #[cfg(feature = "_network")]
        Ok(config) => online::migrate(parts, &config, peripherals.WIFI).await,
        #[cfg(not(feature = "_network"))]
        Ok(config) => parts.migrate(&config, &mut bootswap_engine::Offline, None).await,
        Err(error) => parts.without_config(&error).await,
    }
}

impl Parts {
    async fn migrate<S: Source>(self, config: &Config<'_>, source: &mut S, radio: Option<&Radio>) {
        self.run(radio, async |migrator| migrator.migrate(&config.migration, source, &mut []).await)
            .await
    }

    async fn without_config(self, error: &ConfigError) {
        self.run(None, async |migrator| migrator.without_config(error).await).await
    }

    /// The network of the old firmware, if the configuration allows it and it is known.
    #[cfg(feature = "_network")]
    async fn old_network(
        &mut self,
        network: &bootswap_config::Network<'_>,
        table: Option<flash_region::FlashAddr>,
    ) -> Option<bootswap_migrator::Credentials> {
        if !network.old_credentials {
            return None;
        }
        let (flash, buffer) = (&mut self.flash, self.buffers.sector());
        let identity = chip::identity((&raw const ESP_APP_DESC).cast(), flash.len_bytes());
        let found =
            bootswap_migrator::LiveFacts::read(flash, identity, table, buffer).await.ok()?;
        match bootswap_migrator::Credentials::on(flash, found.partitions(), buffer).await {
            Ok(credentials) => Some(credentials),
            Err(error) => {
                self.log.warn(format_args!("the old firmware's network is not tried: {error}"));
                None
            }
        }
    }

    async fn run(
        mut self,
        radio: Option<&Radio>,
        what: impl AsyncFnOnce(Migrator<'_, Flash, EspBoard<'_>>),
    ) {
        let identity = chip::identity((&raw const ESP_APP_DESC).cast(), self.flash.len_bytes());
        let mut board = EspBoard::new(identity, self.rtc_timer, radio);
        what(Migrator {
            flash: &mut self.flash,
            board: &mut board,
            log: self.log,
            window: &WINDOW,
            buffers: self.buffers,
        })
        .await;
        #[cfg(feature = "stack-use")]
        stack_use::report(self.log);
        board.unwatch();
    }
}
