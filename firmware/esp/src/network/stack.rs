//! DHCP, DNS and TCP on the card.

use bootswap_config::NetworkSettings;
use bootswap_migrator::{JoinError, Log};
use embassy_net::tcp::client::TcpClientState;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_time::{Duration, with_timeout};

/// Sockets: DHCP, DNS, one connection, and one that is still closing.
const SOCKETS: usize = 4;
/// Bytes that a connection can receive before they are read.
const RX_BYTES: usize = 8 * 1024;
/// Bytes of a request.
const TX_BYTES: usize = 1024;
/// How long a server may be silent.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// How long DHCP may take.
const DHCP_TIMEOUT: Duration = Duration::from_secs(20);

/// Memory of the stack.
pub type Resources = StackResources<SOCKETS>;
/// Memory of its connections: the one in use, and one that is still closing.
pub type Connections = TcpClientState<2, TX_BYTES, RX_BYTES>;

/// The stack's configuration: an address by DHCP, with the device's host name.
#[must_use]
pub fn config(networks: &NetworkSettings<'_>) -> Config {
    let mut dhcp = DhcpConfig::default();
    dhcp.hostname = networks.hostname.and_then(|name| heapless::String::try_from(name).ok());
    Config::dhcpv4(dhcp)
}

/// Waits until DHCP has assigned an address.
///
/// # Errors
///
/// [`JoinError::NoAddress`] if it assigns none in time.
pub async fn addressed(stack: Stack<'_>, log: Log<'_>) -> Result<(), JoinError> {
    let waited = with_timeout(DHCP_TIMEOUT, stack.wait_config_up()).await;
    waited.map_err(|_| JoinError::NoAddress { within_s: DHCP_TIMEOUT.as_secs() })?;
    if let Some(config) = stack.config_v4() {
        log.info(format_args!("      address {}", config.address));
    }
    Ok(())
}
