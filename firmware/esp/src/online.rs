//! A migration that fetches what it places.

use bootswap_app::{Absent, Joining, Next};
use bootswap_config::Config;
use bootswap_engine::{HTTP_BUFFER_BYTES, HttpSource, Offline};
use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsSocket;
use embassy_net::tcp::client::TcpClient;
use esp_hal::peripherals::WIFI;
use esp_hal::rng::Rng;
use static_cell::{ConstStaticCell, StaticCell};

use crate::Parts;
use crate::network::{self, Connections, Joined, Resources};

static HTTP: ConstStaticCell<[u8; HTTP_BUFFER_BYTES]> =
    ConstStaticCell::new([0; HTTP_BUFFER_BYTES]);
static RESOURCES: StaticCell<Resources> = StaticCell::new();
static CONNECTIONS: StaticCell<Connections> = StaticCell::new();

/// Migrates, with the network beside.
pub async fn migrate(mut parts: Parts, config: &Config<'_>, wifi: WIFI<'static>) -> Next {
    let (driver, radio) = match network::open(wifi) {
        Ok(card) => card,
        Err(error) => {
            parts.log.error(format_args!("the radio does not start: {error}"));
            // What is in flash already may do; and if it does not, the attempt is counted.
            return parts.migrate(config, &mut Joining::new(Absent, Offline), None).await;
        }
    };
    let old = parts.old_network(&config.network).await;
    let old = old.as_ref().and_then(|old| old.wifi().ok());
    if let Some(old) = &old {
        parts.log.info(format_args!("the old firmware was in the network {}", old.ssid()));
    }
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let resources = RESOURCES.init(Resources::new());
    let (stack, mut runner) =
        embassy_net::new(driver, network::config(&config.network), resources, seed);
    let connections = CONNECTIONS.init(Connections::new());
    let mut tcp = TcpClient::new(stack, connections);
    tcp.set_timeout(Some(network::TIMEOUT));
    let dns = DnsSocket::new(stack);
    let http = HttpSource::new(&tcp, &dns, HTTP.take());
    let joined = Joined { stack, radio: &radio, networks: config.network, old, log: parts.log };
    let mut source = Joining::new(joined, http);
    match select(runner.run(), parts.migrate(config, &mut source, Some(&radio))).await {
        Either::Second(next) => next,
    }
}
