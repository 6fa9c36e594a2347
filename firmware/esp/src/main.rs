//! The migrator on the ESP32 family: an app under the ESP-IDF bootloader.
//!
//! ```text
//!   main   clocks, and what runs futures                                  entry.rs
//!     |--> prepare   what the chip gives                                  this file
//!     |      '--> start: watchdog, first line, plan, counted attempt      bootswap-migrator
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

use bootswap_config::{Config, Section, Storage};
use bootswap_engine::{Buffers, Source};
use bootswap_migrator::{
    CommitWindow, Given, Log, Migrator, Ready, Room, Started, Unwatched, Watched, start,
};
#[cfg(feature = "_network")]
use esp_hal::peripherals::WIFI;
use esp_hal::peripherals::{FLASH, Peripherals, RTC_TIMER};
use esp_hal::rtc_cntl::Rtc;
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
    started: Started<'static, Flash, EspBoard<'static>>,
    #[cfg(feature = "_network")]
    wifi: WIFI<'static>,
}

/// The chip before its watchdog runs.
struct Fresh {
    rtc_timer: RTC_TIMER<'static>,
    flash: FLASH<'static>,
}

/// The chip with a watchdog.
struct Guarded {
    watchdog: Rtc<'static>,
    flash: FLASH<'static>,
}

impl Unwatched for Fresh {
    type Watched = Guarded;

    fn watch(self) -> Guarded {
        let watchdog = board::watch(self.rtc_timer);
        chip::reset_on_brownout();
        Guarded { watchdog, flash: self.flash }
    }
}

impl Watched for Guarded {
    type Flash = Flash;
    type Board = EspBoard<'static>;

    #[cfg_attr(not(feature = "openeth"), expect(unused_variables, reason = "for emulators"))]
    async fn open(self, log: Log<'_>) -> Option<(Flash, EspBoard<'static>)> {
        // Safety: the engine does not write to the migrator's own image.
        #[cfg_attr(not(feature = "openeth"), expect(unused_mut, reason = "for emulators"))]
        let mut flash = unsafe { Flash::new(self.flash) };
        #[cfg(feature = "openeth")]
        if cross_check::answers(&mut flash, log).await {
            return None;
        }
        let identity = chip::identity((&raw const ESP_APP_DESC).cast(), flash.len_bytes());
        Some((flash, EspBoard::new(identity, self.watchdog)))
    }
}

/// Does everything that cannot hang. `None` where there is nothing to do but to reset.
async fn prepare(peripherals: Peripherals) -> Option<Prepared> {
    let fresh = Fresh { rtc_timer: peripherals.RTC_TIMER, flash: peripherals.FLASH };
    let given = Given {
        section: CONFIG.bytes(),
        storage: STORAGE.init(Storage::default()),
        room: ROOM.init_with(Room::default),
        buffers: BUFFERS.take(),
        window: &WINDOW,
        console: &SerialConsole,
        version: env!("CARGO_PKG_VERSION"),
        chip: chip::CHIP,
    };
    let started = start(fresh, given).await?;
    Some(Prepared {
        started,
        #[cfg(feature = "_network")]
        wifi: peripherals.WIFI,
    })
}

/// Does the rest, up to the reset.
#[cfg(not(feature = "_network"))]
async fn go_on(prepared: Prepared) {
    let Started { flash, board, log, buffers, config, mut ready } = prepared.started;
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
