//! The start of the network card, and which networks are tried.

use core::fmt;

use bootswap_config::{NetworkSettings, Wifi};
use embedded_storage_async::nor_flash::ReadNorFlash;

use crate::{Credentials, Log, Ready, Started};

/// A network card that is off.
pub trait Card {
    /// The card, once it runs.
    type Started;
    /// Why it does not start.
    type Error: fmt::Display;

    /// Starts it.
    ///
    /// It is where a device most likely hangs or panics, so it needs a counted attempt: after eight
    /// of them the device goes back to the previous firmware.
    ///
    /// # Errors
    ///
    /// That of its driver.
    fn start(self, counted: &Ready<'_>)
    -> impl Future<Output = Result<Self::Started, Self::Error>>;
}

/// Starts the card, and reads the old firmware's network if it may be tried; prints on the console
/// what goes wrong.
///
/// If the card does not start there is no network: what is in flash already may be enough, and if
/// it is not, the attempt has failed.
pub async fn bring_up<C: Card, F: ReadNorFlash, B>(
    card: C,
    migrator: &mut Started<'_, F, B>,
) -> (Option<C::Started>, Option<Credentials>) {
    let Started { flash, log, buffers, config, ready, .. } = migrator;
    let card = match card.start(ready).await {
        Ok(card) => card,
        Err(error) => {
            log.error(format_args!("the radio does not start: {error}"));
            return (None, None);
        }
    };
    if !config.network.old_credentials {
        return (Some(card), None);
    }
    let found = Credentials::on(flash, ready.found().partitions(), buffers.sector()).await;
    (
        Some(card),
        found.map_err(|error| not_known(*log, &error)).ok().inspect(|old| known(*log, old)),
    )
}

fn not_known(log: Log<'_>, error: &dyn fmt::Display) {
    log.warn(format_args!("the old firmware's network is not tried: {error}"));
}

fn known(log: Log<'_>, old: &Credentials) {
    if let Ok(old) = old.wifi() {
        log.info(format_args!("the old firmware was in the network {}", old.shown_ssid()));
    }
}

/// The networks to try, in their order: the owner's, the old firmware's, the rescue network.
pub fn candidates<'w>(
    settings: &NetworkSettings<'w>,
    old: Option<Wifi<'w>>,
) -> impl Iterator<Item = Wifi<'w>> + use<'w> {
    let NetworkSettings { wifi, rescue, .. } = *settings;
    wifi.iter().copied().chain(old).chain(rescue)
}
