//! DHCP, DNS and TCP over whatever card there is.

use bootswap_app::{Log, Network};
use embassy_net::tcp::client::TcpClientState;
use embassy_net::{Config, Stack, StackResources};
use embassy_time::{Duration, with_timeout};

/// Sockets: DHCP, DNS, one connection, and one for a connection that still closes.
pub const SOCKETS: usize = 4;
/// Bytes that a connection can receive before they are taken.
pub const RX_BYTES: usize = 6 * 1024;
/// Bytes of a request.
pub const TX_BYTES: usize = 1024;
/// How long a server may be silent.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// How long DHCP may take.
const DHCP_TIMEOUT: Duration = Duration::from_secs(20);

/// Memory of the stack.
pub type Resources = StackResources<SOCKETS>;
/// Memory of its connections: the one in use, and one that still closes.
pub type Connections = TcpClientState<2, TX_BYTES, RX_BYTES>;

/// What the stack begins with: an address by DHCP.
#[must_use]
pub fn config() -> Config {
    Config::dhcpv4(Default::default())
}

/// Waits until DHCP has given an address.
pub async fn configured(stack: Stack<'_>, log: Log<'_>) -> bool {
    if with_timeout(DHCP_TIMEOUT, stack.wait_config_up()).await.is_err() {
        log.error(format_args!(
            "no address by DHCP within {} s; check that the network has a DHCP server",
            DHCP_TIMEOUT.as_secs()
        ));
        return false;
    }
    if let Some(config) = stack.config_v4() {
        log.info(format_args!("address {}", config.address));
    }
    true
}

/// A network that is there as soon as its cable is.
pub struct Wired<'a> {
    /// The stack.
    pub stack: Stack<'a>,
    /// The console.
    pub log: Log<'a>,
}

impl Network for Wired<'_> {
    async fn join(&mut self) -> bool {
        self.stack.is_config_up() || configured(self.stack, self.log).await
    }
}
