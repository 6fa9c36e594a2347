//! `bootswap config`.

use std::path::PathBuf;

use clap::Args;
use esp_idf_format::Chip;

use super::values::ChipParser;

/// Arguments of `bootswap config`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Comments and order of the file are kept. Nothing is written before you save."
)]
pub struct ConfigArgs {
    /// The migration file to edit; with --chip and --partitions, a new one
    #[arg(value_name = "MIGRATION.toml")]
    pub migration: PathBuf,
    /// Chip of the devices that a new migration is for
    #[arg(long, value_name = "CHIP", value_parser = ChipParser, requires = "partitions")]
    pub chip: Option<Chip>,
    /// Their partition table as it is today, ESP-IDF CSV or binary
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub partitions: Option<PathBuf>,
    /// The target's MCUboot; the map that its file shows is filled in
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub bootloader: Option<PathBuf>,
}
