//! Arguments of `bootswap pack`.

use std::path::PathBuf;

use clap::Args;
use esp_idf_format::Chip;

use super::values::{ChipParser, identity, number};
use crate::output::Force;

const HELP: &str = "\
Without --firmware, the firmware image is bootswap-CHIP.bin
  in the directory that the environment variable BOOTSWAP_FIRMWARE names, else
  in the directory `firmware` beside this program.

The image contains the migration's Wi-Fi passwords in clear: keep it as safe as the passwords.";

/// Arguments of `bootswap pack`.
#[derive(Args, Clone, Debug)]
#[command(after_help = HELP)]
pub struct PackArgs {
    /// The migration that the migrator will carry out
    #[arg(value_name = "MIGRATION.toml")]
    pub migration: PathBuf,
    /// Chip of the devices; without it, the one in the migration
    #[arg(long, value_name = "CHIP", value_parser = ChipParser)]
    pub chip: Option<Chip>,
    /// File to write the migrator to
    #[arg(long, short, value_name = "OUT")]
    pub out: PathBuf,
    /// Whether the file may exist already
    #[command(flatten)]
    pub force: Force,
    /// Firmware image to pack into
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
    /// Version in the migrator's app descriptor; without it, the migration's `migrator.version`, or
    /// the firmware image's
    #[arg(long, value_name = "TEXT", value_parser = identity)]
    pub version: Option<String>,
    /// Project name in the migrator's app descriptor; without it, `migrator.project`, or the
    /// firmware image's
    #[arg(long, value_name = "NAME", value_parser = identity)]
    pub project: Option<String>,
    /// Version for anti-rollback; without it, `migrator.secure_version`, or the firmware image's
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub secure_version: Option<u32>,
    /// Embed the artifacts in the migrator, so that devices need no network; on a chip without
    /// Wi-Fi that is done anyway
    #[arg(long)]
    pub embed: bool,
}
