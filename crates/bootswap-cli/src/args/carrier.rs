//! Arguments of `bootswap image carrier` and `bootswap image first-stage`.

use std::path::PathBuf;

use clap::Args;
use esp_idf_format::Chip;

use super::values::{ChipParser, flash_addr, starts};
use crate::output::Force;

use flash_region::FlashAddr;

/// What both commands take.
#[derive(Args, Clone, Debug)]
pub struct LoaderArgs {
    /// MCUboot as it was built for the chip
    pub file: PathBuf,
    /// Chip: esp32c3, esp32c6 or esp32h2
    #[arg(long, value_name = "CHIP", value_parser = ChipParser)]
    pub chip: Chip,
    /// File to write to
    #[arg(long, short, value_name = "OUT")]
    pub out: PathBuf,
    /// Whether it may be there already
    #[command(flatten)]
    pub force: Force,
    /// Loader of the chip, bootswap-CHIP-loader.bin; found as `bootswap pack` finds its firmware
    #[arg(long, value_name = "LOADER.bin")]
    pub loader: Option<PathBuf>,
}

/// Arguments of `bootswap image carrier`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A carrier of MCUboot for devices like the one of a dump, with a trial of three \
                  starts:\n  bootswap image carrier mcuboot.bin --chip esp32c3 --flash dump.bin \
                  --starts 3 -o carrier.bin"
)]
pub struct CarrierArgs {
    /// MCUboot, chip and output
    #[command(flatten)]
    pub loader: LoaderArgs,
    /// Dump of a device: its otadata is the way back, and its bootloader has to read flash as
    /// MCUboot does
    #[arg(long, value_name = "DUMP.bin")]
    pub flash: Option<PathBuf>,
    /// Where the devices' otadata is, instead of a dump
    #[arg(long, value_name = "ADDR", value_parser = flash_addr, conflicts_with = "flash")]
    pub otadata: Option<FlashAddr>,
    /// Trial: after so many starts without the target's confirmation, the device goes back
    #[arg(long, value_name = "NUMBER", value_parser = starts)]
    pub starts: Option<u32>,
    /// Seconds after which a start on trial is reset whose target did not take the RTC watchdog
    /// over; 0 stops the watchdog
    #[arg(long, value_name = "SECONDS", default_value = "120", requires = "starts")]
    pub watchdog: u32,
    /// Version for anti-rollback, of a bootloader that was built with it
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub secure_version: u32,
}

/// Arguments of `bootswap image first-stage`.
#[derive(Args, Clone, Debug)]
pub struct FirstStageArgs {
    /// MCUboot, chip and output
    #[command(flatten)]
    pub loader: LoaderArgs,
    /// Where the second copy will be, which is MCUboot's own file
    #[arg(long, value_name = "ADDR", value_parser = flash_addr)]
    pub second: FlashAddr,
}
