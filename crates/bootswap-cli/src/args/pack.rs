//! Arguments of `bootswap pack`.

use std::path::PathBuf;

use clap::Args;
use esp_idf_format::Chip;

const HELP: &str = "\
The firmware image is looked for, without --firmware, as bootswap-CHIP.bin
  in the directory that the environment variable BOOTSWAP_FIRMWARE names, else
  in the directory `firmware` beside this program.

Wi-Fi passwords of the migration stand in the image as they are: keep it as you keep them.";

/// Arguments of `bootswap pack`.
#[derive(Args, Clone, Debug)]
#[command(after_help = HELP)]
pub struct PackArgs {
    /// What the migrator is to do
    #[arg(value_name = "MIGRATION.toml")]
    pub migration: PathBuf,
    /// Chip of the devices; without it, the one in the migration
    #[arg(long, value_name = "CHIP")]
    pub chip: Option<Chip>,
    /// File to write the migrator to
    #[arg(long, short, value_name = "OUT")]
    pub out: PathBuf,
    /// Firmware image to pack into
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
    /// Put the artifacts into the migrator too, so that devices need no network
    #[arg(long)]
    pub embed: bool,
}
