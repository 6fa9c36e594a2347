//! Apps, which the caller brings.

use core::fmt;

use esp_idf_format::image::ImageInfo;
use esp_idf_format::otadata::{BootSlot, OtaState};
use esp_idf_format::partition::Partition;
use flash_region::Region;
use nor_sim::{NorDevice, Power};

use crate::Board;

/// An app that the ESP-IDF bootloader has started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningApp {
    /// Factory, OTA slot or test app.
    pub slot: BootSlot,
    /// The partition that it runs from.
    pub partition: Partition,
    /// Its image, which has verified.
    pub image: ImageInfo,
    /// Its state in otadata, if otadata selected it: with rollback,
    /// [`PendingVerify`](OtaState::PendingVerify) at the first start.
    pub ota_state: Option<OtaState>,
}

impl RunningApp {
    /// The bytes of flash that it runs from.
    #[must_use]
    pub const fn code(&self) -> Region {
        self.partition.region.prefix(self.image.total_len_bytes)
    }

    /// The name that it gives itself; empty if it has no description.
    #[must_use]
    pub fn project_name(&self) -> String {
        self.image.app_desc.map(|app| app.project_name.to_string()).unwrap_or_default()
    }
}

impl fmt::Display for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.image.app_desc {
            Some(app) => write!(f, "{} {} in ", app.project_name, app.version)?,
            None => write!(f, "an app without description in ")?,
        }
        write!(f, "{}", self.partition.label)
    }
}

/// What an app can use.
pub struct Machine<'a> {
    /// The flash. An operation on the app's own code crashes the device.
    pub flash: &'a mut dyn NorDevice,
    /// The supply, for [`run_until_powered_off`](nor_sim::run_until_powered_off).
    pub power: &'a Power,
    /// The chip and its eFuses.
    pub board: &'a Board,
}

/// How an app ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppExit {
    /// It resets the device.
    Reset,
    /// It keeps running and does nothing more.
    Stay,
    /// It crashes, and the device resets.
    Crashed {
        /// Its message.
        why: String,
    },
    /// It was interrupted, according to [`run_until_powered_off`](nor_sim::run_until_powered_off).
    /// The device checks its supply: if it is on, the app has crashed.
    PowerLost,
}

/// All apps of a device: one value runs every app that is started, and decides what to do by the
/// [`RunningApp`].
///
/// What the value keeps from one boot to the next is not part of the device, so an app that is
/// being judged must not keep anything in it.
pub trait Software {
    /// Runs `app` until it ends.
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit;
}

impl<F: FnMut(&RunningApp, Machine<'_>) -> AppExit> Software for F {
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit {
        self(app, machine)
    }
}
