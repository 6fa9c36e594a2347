//! The chip's own radio.

use core::cell::Cell;

use bootswap_app::Log;
use bootswap_config::Wifi;
use embassy_net::Stack;
use embassy_time::{Duration, with_timeout};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig, DisconnectReason,
    Interface, PowerSaveMode, WifiController, WifiError,
};

use super::stack::addressed;

/// How long an access point may take to let a station in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The radio.
pub struct Radio {
    /// `None` while somebody uses it, and once it is off.
    controller: Cell<Option<WifiController<'static>>>,
}

/// Starts the radio. It stays without a network until it joins one.
///
/// # Errors
///
/// What the radio's driver says.
pub fn open(wifi: WIFI<'static>) -> Result<(Interface, Radio), WifiError> {
    let mut controller = WifiController::new(wifi, ControllerConfig::default())?;
    // A radio that sleeps makes a download several times as long.
    controller.set_power_saving(PowerSaveMode::None)?;
    let radio = Radio { controller: Cell::new(Some(controller)) };
    Ok((Interface::station(), radio))
}

impl Radio {
    /// Whether it is in a network.
    pub fn is_up(&self) -> bool {
        let controller = self.controller.take();
        let is_up = controller.as_ref().is_some_and(WifiController::is_connected);
        self.controller.set(controller);
        is_up
    }

    /// Tries one network after the other until one lets the device in and gives it an address.
    pub async fn join<'w>(
        &self,
        candidates: impl Iterator<Item = Wifi<'w>>,
        stack: Stack<'_>,
        log: Log<'_>,
    ) -> bool {
        let Some(mut controller) = self.controller.take() else { return false };
        let mut joined = false;
        for wifi in candidates {
            log.info(format_args!("      joining the network {}", wifi.ssid()));
            joined = enter(&mut controller, &wifi, log).await && addressed(stack, log).await;
            if joined {
                break;
            }
            let _ = with_timeout(LEAVE_TIMEOUT, controller.disconnect_async()).await;
        }
        self.controller.set(Some(controller));
        joined
    }

    /// Leaves the network and switches the radio off, for good.
    pub async fn off(&self) {
        if let Some(mut controller) = self.controller.take() {
            let _ = with_timeout(LEAVE_TIMEOUT, controller.disconnect_async()).await;
        }
    }
}

/// Associates with an access point of this network; says what is in the way if none lets the device in.
async fn enter(controller: &mut WifiController<'_>, wifi: &Wifi<'_>, log: Log<'_>) -> bool {
    let ssid = wifi.ssid();
    let config = match station(wifi) {
        Ok(config) => config,
        Err(error) => {
            log.error(format_args!(
                "{ssid}: the radio does not take the name or password: {error}"
            ));
            return false;
        }
    };
    if let Err(error) = controller.set_config(&config) {
        log.error(format_args!("{ssid}: the radio does not take the network: {error}"));
        return false;
    }
    match with_timeout(JOIN_TIMEOUT, controller.connect_async()).await {
        Ok(Ok(_)) => true,
        Ok(Err(ConnectionError::Failed(left))) => {
            log.error(format_args!("{ssid}: {}", explain(left.reason)));
            false
        }
        Ok(Err(error)) => {
            log.error(format_args!("{ssid}: {error}"));
            false
        }
        Err(_) => {
            log.error(format_args!(
                "{ssid}: no answer within {} s; check that the network is in reach",
                JOIN_TIMEOUT.as_secs()
            ));
            false
        }
    }
}

fn station(wifi: &Wifi<'_>) -> Result<Config, WifiError> {
    let authentication = match wifi.password() {
        "" => AuthenticationMethodConfig::Open,
        password => AuthenticationMethodConfig::WpaWpa2Personal(password.try_into()?),
    };
    let station = StationConfig::default().with_ssid(wifi.ssid().try_into()?);
    Ok(Config::Station(station.with_authentication(authentication)))
}

/// Why an access point did not let the device in, and what to do.
const fn explain(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::NoAccessPointFound
        | DisconnectReason::NoAccessPointFoundInRssiThreshold => {
            "no such network found; check its name and that it is in reach"
        }
        DisconnectReason::FourWayHandshakeTimeout
        | DisconnectReason::HandshakeTimeout
        | DisconnectReason::MicFailure
        | DisconnectReason::AuthenticationFailed
        | DisconnectReason::AuthenticationExpired => "not let in; check the password",
        DisconnectReason::NoAccessPointFoundWithCompatibleSecurity
        | DisconnectReason::NoAccessPointFoundInAuthmodeThreshold => {
            "the network's encryption is none that the migrator knows; use WPA or WPA2"
        }
        DisconnectReason::BeaconTimeout => "lost sight of it; check that it is in reach",
        DisconnectReason::AssociationTooMany => "it has no room for another station",
        _ => "not let in; check the network's settings",
    }
}
