//! The migrator on the ESP32 family: an app under the ESP-IDF bootloader.
#![no_std]
#![no_main]

mod board;
mod chip;
mod config;
mod console;
mod flash;
#[cfg(feature = "_network")]
mod network;
mod panic;
mod polled;

use bootswap_app::{Joining, Level, Log, Migrator, Next};
use bootswap_engine::{Buffers, HTTP_BUFFER_BYTES, HttpSource};
use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsSocket;
use embassy_net::tcp::client::TcpClient;
use esp_hal::clock::CpuClock;
use esp_hal::peripherals::Peripherals;
use esp_hal::rng::Rng;
use static_cell::{ConstStaticCell, StaticCell};

use board::EspBoard;
use console::Console;
use flash::Flash;

esp_bootloader_esp_idf::esp_app_desc!(
    env!("CARGO_PKG_VERSION"),
    "bootswap",
    "-",
    "-",
    esp_bootloader_esp_idf::ESP_IDF_COMPATIBLE_VERSION,
    esp_bootloader_esp_idf::MMU_PAGE_SIZE,
    0,
    u16::MAX,
    esp_bootloader_esp_idf::SECURE_VERSION
);

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
static HTTP: ConstStaticCell<[u8; HTTP_BUFFER_BYTES]> =
    ConstStaticCell::new([0; HTTP_BUFFER_BYTES]);
static RESOURCES: StaticCell<network::Resources> = StaticCell::new();
static CONNECTIONS: StaticCell<network::Connections> = StaticCell::new();

#[esp_hal::main]
fn main() -> ! {
    let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
    let peripherals = esp_hal::init(config);
    match polled::run(start(peripherals)) {
        Next::Reset => esp_hal::system::software_reset(),
        Next::Stay => loop {
            core::hint::spin_loop();
        },
    }
}

async fn start(peripherals: Peripherals) -> Next {
    let log = Log::new(&Console, Level::Debug);
    let _ = peripherals.FLASH;
    let flash_len_bytes = 4 << 20;
    // Safety: the one and only.
    let mut flash = unsafe { Flash::new(flash_len_bytes) };
    let identity = chip::identity((&raw const ESP_APP_DESC).cast(), flash_len_bytes);
    let mut board = EspBoard { identity };

    let mac = esp_hal::efuse::base_mac_address();
    let mut bytes = [0; 6];
    bytes.copy_from_slice(mac.as_bytes());
    // Safety: the one and only.
    let card = unsafe { network::openeth::OpenEth::start(bytes) };
    let seed = u64::from(Rng::new().random()) << 32 | u64::from(Rng::new().random());
    let resources = RESOURCES.init(network::Resources::new());
    let (stack, mut runner) = embassy_net::new(card, network::config(), resources, seed);
    let connections = CONNECTIONS.init(network::Connections::new());
    let mut tcp = TcpClient::new(stack, connections);
    tcp.set_timeout(Some(network::TIMEOUT));
    let dns = DnsSocket::new(stack);
    let http = HttpSource::new(&tcp, &dns, HTTP.take());
    let mut source = Joining::new(network::Wired { stack, log }, http);

    let migrator = Migrator {
        flash: &mut flash,
        source: &mut source,
        board: &mut board,
        log,
        migration: &config::MIGRATION,
        buffers: BUFFERS.take(),
        memory: &mut [],
    };
    match select(runner.run(), migrator.run()).await {
        Either::Second(next) => next,
    }
}
