//! DHCP, DNS and TCP over whatever card there is.

use bootswap_config::{Network as Networks, Wifi};
use bootswap_migrator::{JoinError, Log, Network};
use embassy_net::tcp::client::TcpClientState;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_time::{Duration, with_timeout};

use super::Radio;

/// Sockets: DHCP, DNS, one connection, and one for a connection that still closes.
const SOCKETS: usize = 4;
/// Bytes that a connection can receive before they are taken.
const RX_BYTES: usize = 8 * 1024;
/// Bytes of a request.
const TX_BYTES: usize = 1024;
/// How long a server may be silent.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// How long DHCP may take.
const DHCP_TIMEOUT: Duration = Duration::from_secs(20);

/// Memory of the stack.
pub type Resources = StackResources<SOCKETS>;
/// Memory of its connections: the one in use, and one that still closes.
pub type Connections = TcpClientState<2, TX_BYTES, RX_BYTES>;

/// What the stack begins with: an address by DHCP, asked for under the device's name.
#[must_use]
pub fn config(networks: &Networks<'_>) -> Config {
    let mut dhcp = DhcpConfig::default();
    dhcp.hostname = networks.hostname.and_then(|name| heapless::String::try_from(name).ok());
    Config::dhcpv4(dhcp)
}

/// The network, once it was joined.
pub struct Joined<'a> {
    /// The stack.
    pub stack: Stack<'a>,
    /// What the card is told.
    pub radio: &'a Radio,
    /// The networks to try.
    pub networks: Networks<'a>,
    /// The network that the old firmware was in.
    pub old: Option<Wifi<'a>>,
    /// The console.
    pub log: Log<'a>,
}

impl Network for Joined<'_> {
    async fn join(&mut self) -> bool {
        if self.radio.is_up() && self.stack.is_config_up() {
            return true;
        }
        let Networks { wifi, rescue, .. } = self.networks;
        let candidates = wifi.iter().copied().chain(self.old).chain(rescue);
        self.radio.join(candidates, self.stack, self.log).await
    }
}

/// Waits until DHCP has given an address.
///
/// # Errors
///
/// [`JoinError::NoAddress`] where it gives none.
pub async fn addressed(stack: Stack<'_>, log: Log<'_>) -> Result<(), JoinError> {
    let waited = with_timeout(DHCP_TIMEOUT, stack.wait_config_up()).await;
    waited.map_err(|_| JoinError::NoAddress { within_s: DHCP_TIMEOUT.as_secs() })?;
    if let Some(config) = stack.config_v4() {
        log.info(format_args!("      address {}", config.address));
    }
    Ok(())
}
