//! The chip's own radio.

use core::cell::Cell;

use bootswap_config::Wifi;
use bootswap_migrator::{Card, JoinError, Log, Ready, Station};
use embassy_net::Stack;
use embassy_time::{Duration, with_timeout};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig, DisconnectReason,
    Interface, PowerSaveMode, WifiController, WifiError,
};

use super::stack::addressed;

/// How long an access point may take to accept a station.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The radio.
pub struct Radio {
    /// `None` while it is in use, and after it was switched off.
    controller: Cell<Option<WifiController<'static>>>,
}

/// The radio, which is off.
pub struct Off(pub WIFI<'static>);

impl Card for Off {
    type Started = (Interface, Radio);
    type Error = WifiError;

    async fn start(self, _: &Ready<'_>) -> Result<(Interface, Radio), WifiError> {
        let mut controller = WifiController::new(self.0, ControllerConfig::default())?;
        // A download takes several times as long with a radio that sleeps.
        controller.set_power_saving(PowerSaveMode::None)?;
        let radio = Radio { controller: Cell::new(Some(controller)) };
        Ok((Interface::station(), radio))
    }
}

impl Radio {
    /// Whether it is in a network.
    pub fn is_up(&self) -> bool {
        let controller = self.controller.take();
        let is_up = controller.as_ref().is_some_and(WifiController::is_connected);
        self.controller.set(controller);
        is_up
    }

    /// Tries one network after the other until one accepts the device and gives it an address.
    pub async fn join<'w>(
        &self,
        candidates: impl Iterator<Item = Wifi<'w>>,
        stack: Stack<'_>,
        log: Log<'_>,
    ) -> bool {
        let Some(mut controller) = self.controller.take() else { return false };
        let joined = bootswap_migrator::join(
            &mut Searching { controller: &mut controller, stack, log },
            candidates,
            log,
        )
        .await;
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

/// The radio while it joins a network.
struct Searching<'c, 's> {
    controller: &'c mut WifiController<'static>,
    stack: Stack<'s>,
    log: Log<'s>,
}

impl Station for Searching<'_, '_> {
    async fn enter(&mut self, wifi: &Wifi<'_>) -> Result<(), JoinError> {
        let config = station(wifi).map_err(|_| JoinError::Settings)?;
        self.controller.set_config(&config).map_err(|_| JoinError::Settings)?;
        match with_timeout(JOIN_TIMEOUT, self.controller.connect_async()).await {
            Ok(Ok(_)) => addressed(self.stack, self.log).await,
            Ok(Err(ConnectionError::Failed(left))) => Err(refusal(left.reason)),
            Ok(Err(error)) => {
                self.log.error(format_args!("the radio does not connect: {error}"));
                Err(JoinError::NotLetIn)
            }
            Err(_) => Err(JoinError::NoAnswer { within_s: JOIN_TIMEOUT.as_secs() }),
        }
    }

    async fn leave(&mut self) {
        let _ = with_timeout(LEAVE_TIMEOUT, self.controller.disconnect_async()).await;
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

/// Why an access point did not accept the device.
const fn refusal(reason: DisconnectReason) -> JoinError {
    match reason {
        DisconnectReason::NoAccessPointFound
        | DisconnectReason::NoAccessPointFoundInRssiThreshold => JoinError::NotFound,
        DisconnectReason::FourWayHandshakeTimeout
        | DisconnectReason::HandshakeTimeout
        | DisconnectReason::MicFailure
        | DisconnectReason::AuthenticationFailed
        | DisconnectReason::AuthenticationExpired => JoinError::Password,
        DisconnectReason::NoAccessPointFoundWithCompatibleSecurity
        | DisconnectReason::NoAccessPointFoundInAuthmodeThreshold => JoinError::Security,
        DisconnectReason::BeaconTimeout => JoinError::Lost,
        DisconnectReason::AssociationTooMany => JoinError::Full,
        _ => JoinError::NotLetIn,
    }
}
