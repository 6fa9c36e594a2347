//! Arguments of `bootswap image carrier` and `bootswap image first-stage`.

use std::path::PathBuf;

use clap::Args;
use esp_idf_format::Chip;

use super::values::{ChipParser, flash_addr, starts};
use crate::output::Force;

use flash_region::FlashAddr;

/// Arguments of both commands.
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
    /// Whether the file may exist already
    #[command(flatten)]
    pub force: Force,
    /// Loader for the chip, bootswap-CHIP-loader.bin; without it, looked for where `bootswap pack`
    /// looks for its firmware
    #[arg(long, value_name = "LOADER.bin")]
    pub loader: Option<PathBuf>,
}

/// Arguments of `bootswap image carrier`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A carrier for devices like the one in a dump, with a trial of three starts:\n  \
    bootswap image carrier mcuboot.bin --chip esp32c3 --flash dump.bin \
                  --starts 3 -o carrier.bin"
)]
pub struct CarrierArgs {
    /// MCUboot, chip and output
    #[command(flatten)]
    pub loader: LoaderArgs,
    /// Flash dump of a device: its otadata is the way back, and the flash settings of its
    /// bootloader are compared with MCUboot's
    #[arg(long, value_name = "DUMP.bin")]
    pub flash: Option<PathBuf>,
    /// Address of the devices' otadata, instead of a dump
    #[arg(long, value_name = "ADDR", value_parser = flash_addr, conflicts_with = "flash")]
    pub otadata: Option<FlashAddr>,
    /// Trial: after this many starts without the target's confirmation, the device goes back to the
    /// old firmware
    #[arg(long, value_name = "NUMBER", value_parser = starts)]
    pub starts: Option<u32>,
    /// Seconds after which the RTC watchdog resets a start on trial, unless the target takes the
    /// watchdog over; 0 stops the watchdog
    #[arg(long, value_name = "SECONDS", default_value = "120", requires = "starts")]
    pub watchdog: u32,
    /// Version for anti-rollback, if the old bootloader was built with it
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub secure_version: u32,
}

/// Arguments of `bootswap image first-stage`.
#[derive(Args, Clone, Debug)]
pub struct FirstStageArgs {
    /// MCUboot, chip and output
    #[command(flatten)]
    pub loader: LoaderArgs,
    /// Address of the second copy, which is MCUboot's file itself
    #[arg(long, value_name = "ADDR", value_parser = flash_addr)]
    pub second: FlashAddr,
}
