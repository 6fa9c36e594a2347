//! A migration that fetches what it places.

use core::future::pending;
use core::mem::MaybeUninit;

use bootswap_config::{Config, NetworkSettings, Wifi};
use bootswap_engine::{HTTP_BUFFER_BYTES, HttpSource};
use bootswap_migrator::{Joining, Log, Network, bring_up, candidates};
use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsSocket;
use embassy_net::driver::Driver;
use embassy_net::tcp::client::TcpClient;
use embassy_net::{Runner, Stack};
use esp_hal::rng::Rng;
use static_cell::{ConstStaticCell, StaticCell};

use crate::network::{self, Connections, Radio, Resources};
use crate::{Parts, Prepared};

static HTTP: ConstStaticCell<[u8; HTTP_BUFFER_BYTES]> =
    ConstStaticCell::new([0; HTTP_BUFFER_BYTES]);
static RESOURCES: StaticCell<Resources> = StaticCell::new();

/// Memory of the connections. On ESP32-S2, where there is too little for the stack, it lies where
/// the bootloader was.
///
/// # Panics
///
/// If it is called a second time.
fn connections() -> &'static mut Connections {
    #[cfg_attr(feature = "esp32s2", esp_hal::ram(reclaimed))]
    static mut CONNECTIONS: MaybeUninit<Connections> = MaybeUninit::uninit();
    static ONCE: StaticCell<()> = StaticCell::new();
    ONCE.init(());
    let connections = &raw mut CONNECTIONS;
    // Safety: `ONCE` lets nobody come here twice, so this is the only reference.
    unsafe { &mut *connections }.write(Connections::new())
}

/// Migrates, and runs the network beside it.
pub async fn migrate(prepared: Prepared) {
    let Prepared { mut started, wifi } = prepared;
    let (card, old) = bring_up(network::Off(wifi), &mut started).await;
    let (driver, radio) = card.unzip();
    let old = old.as_ref().and_then(|old| old.wifi().ok());
    // Taken apart in place: what is moved as a whole lies twice in this future.
    let (config, log) = (&started.config, started.log);
    let board = started.board.with_radio(radio.as_ref());
    let parts = Parts { flash: started.flash, board, log, buffers: started.buffers };
    let (stack, mut runner) = driver.map(|driver| open(driver, config)).unzip();
    let tcp = stack.map(|stack| {
        let mut tcp = TcpClient::new(stack, connections());
        tcp.set_timeout(Some(network::TIMEOUT));
        tcp
    });
    let dns = stack.map(DnsSocket::new);
    let mut source = match (stack, &radio, &tcp, &dns) {
        (Some(stack), Some(radio), Some(tcp), Some(dns)) => {
            let joined = Joined { stack, radio, networks: config.network, old, log };
            Joining::new(joined, HttpSource::new(tcp, dns, HTTP.take()))
        }
        _ => Joining::absent(),
    };
    let network = async {
        match &mut runner {
            Some(runner) => runner.run().await,
            None => pending().await,
        }
    };
    match select(network, parts.migrate(&mut started.ready, config, &mut source)).await {
        Either::First(never) => never,
        Either::Second(()) => {}
    }
}

fn open<D: Driver>(driver: D, config: &Config<'_>) -> (Stack<'static>, Runner<'static, D>) {
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let resources = RESOURCES.init(Resources::new());
    embassy_net::new(driver, network::config(&config.network), resources, seed)
}

/// The network that the device joins.
struct Joined<'a> {
    /// The stack.
    stack: Stack<'a>,
    /// The card.
    radio: &'a Radio,
    /// The networks to try.
    networks: NetworkSettings<'a>,
    /// The network of the old firmware.
    old: Option<Wifi<'a>>,
    /// The console.
    log: Log<'a>,
}

impl Network for Joined<'_> {
    async fn join(&mut self) -> bool {
        if self.radio.is_up() && self.stack.is_config_up() {
            return true;
        }
        let candidates = candidates(&self.networks, self.old);
        self.radio.join(candidates, self.stack, self.log).await
    }
}
