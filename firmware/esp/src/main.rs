//! The migrator on the ESP32 family: an app under the ESP-IDF bootloader.
//!
//! ```text
//!   main   clocks, and what runs futures                                  entry.rs
//!     |--> prepare   watchdog, first line, configuration, flash, plan     this file
//!     |      '--> Migrator::prepare, which counts the attempt             bootswap-migrator
//!     |--> heap, interrupts, threads: where there is Wi-Fi                entry.rs
//!     '--> go_on     network                                              online.rs
//!            '--> Migrator::go_on                                         bootswap-migrator
//! ```
#![no_std]
#![no_main]
// Inline assembly of these cores is not stable.
#![cfg_attr(
    all(target_arch = "xtensa", any(not(feature = "esp32s2"), feature = "stack-use")),
    feature(asm_experimental_arch)
)]

mod board;
mod chip;
mod console;
#[cfg(feature = "openeth")]
mod cross_check;
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

use bootswap_config::{Config, LogLevel, Section, Storage, decode};
use bootswap_engine::{Buffers, Source};
use bootswap_migrator::{CommitWindow, Log, Migrator, Ready, Room};
use esp_hal::peripherals::Peripherals;
#[cfg(feature = "_network")]
use esp_hal::peripherals::WIFI;
use static_cell::{ConstStaticCell, StaticCell};

use board::EspBoard;
use console::SerialConsole;
use flash::Flash;

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

/// Room for what the configuration lists.
static STORAGE: StaticCell<Storage<'static>> = StaticCell::new();
/// Facts and plan.
static ROOM: StaticCell<Room> = StaticCell::new();

/// What there is once the attempt is counted: everything but a network.
struct Prepared {
    flash: Flash,
    board: EspBoard<'static>,
    log: Log<'static>,
    buffers: &'static mut Buffers,
    config: Config<'static>,
    ready: Ready<'static>,
    #[cfg(feature = "_network")]
    wifi: WIFI<'static>,
}

/// Does everything that cannot hang: watchdog, first line, configuration, plan, and counting the
/// attempt. `None` where there is nothing to do but to reset.
async fn prepare(peripherals: Peripherals) -> Option<Prepared> {
    let watchdog = board::watch(peripherals.RTC_TIMER);
    chip::reset_on_brownout();
    let config = decode(CONFIG.bytes(), STORAGE.init(Storage::default()));
    let level = config.as_ref().map_or(LogLevel::default(), |config| config.log_level);
    let log = Log::new(&SerialConsole, level);
    log.info(format_args!("bootswap {} for {}", env!("CARGO_PKG_VERSION"), chip::CHIP));
    // Safety: the engine does not write to the migrator's own image.
    let mut flash = unsafe { Flash::new(peripherals.FLASH) };
    #[cfg(feature = "openeth")]
    if cross_check::answers(&mut flash, log).await {
        return None;
    }
    let identity = chip::identity((&raw const ESP_APP_DESC).cast(), flash.len_bytes());
    let mut board = EspBoard::new(identity, watchdog);
    let buffers = BUFFERS.take();
    let mut migrator = Migrator {
        flash: &mut flash,
        board: &mut board,
        log,
        window: &WINDOW,
        buffers: &mut *buffers,
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            migrator.without_config(&error).await;
            return None;
        }
    };
    let room = ROOM.init_with(Room::default);
    let ready = migrator.prepare(&config.migration, 0, room).await?;
    Some(Prepared {
        flash,
        board,
        log,
        buffers,
        config,
        ready,
        #[cfg(feature = "_network")]
        wifi: peripherals.WIFI,
    })
}

/// Does the rest, up to the reset.
#[cfg(not(feature = "_network"))]
async fn go_on(prepared: Prepared) {
    let Prepared { flash, board, log, buffers, config, mut ready } = prepared;
    let parts = Parts { flash, board, log, buffers };
    parts.migrate(&mut ready, &config, &mut bootswap_engine::Offline).await;
}

#[cfg(feature = "_network")]
use online::migrate as go_on;

/// What the migrator works with.
struct Parts<'a> {
    flash: Flash,
    board: EspBoard<'a>,
    log: Log<'static>,
    buffers: &'static mut Buffers,
}

impl Parts<'_> {
    async fn migrate<S: Source>(
        mut self,
        ready: &mut Ready<'_>,
        config: &Config<'_>,
        source: &mut S,
    ) {
        let migrator = Migrator {
            flash: &mut self.flash,
            board: &mut self.board,
            log: self.log,
            window: &WINDOW,
            buffers: self.buffers,
        };
        migrator.go_on(ready, &config.migration, source, &mut []).await;
        #[cfg(feature = "stack-use")]
        stack_use::report(self.log);
        self.board.unwatch();
    }
}
