//! Arguments of `bootswap image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::tlv::Dependency;
use mcuboot_format::trailer::TrailerConfig;
use mcuboot_format::{ImageVersion, SwapKind};

use crate::error::CommandError;
use crate::output::Force;

use super::values::{
    ChipParser, align, dependency, max_align, security_counter, short_len_bytes, slot_len_bytes,
    version,
};
use super::{CarrierArgs, FirstStageArgs};

/// What to do with an image.
#[derive(Clone, Debug, Subcommand)]
pub enum ImageCommand {
    /// Show the kind of a file and its contents
    Info(InfoArgs),
    /// Check that a file is complete, and that its bootloader would accept it
    Verify(VerifyArgs),
    /// Make an MCUboot image of an application's binary, as `imgtool sign` does
    Sign(SignArgs),
    /// Confirm a padded MCUboot image, so that MCUboot keeps it instead of testing it once
    Confirm(ConfirmArgs),
    /// Make a carrier: an app that the old ESP-IDF bootloader starts and that starts MCUboot
    Carrier(CarrierArgs),
    /// Make a first stage: one sector at the bootloader's address that starts one of two copies of
    /// MCUboot
    FirstStage(FirstStageArgs),
}

const KINDS: &str = "\
The kind of a file is found from its contents:
  MCUboot image    signed or not, alone or padded to a whole slot
  ESP image        second-stage bootloader or app
  partition table  in its binary form
  otadata          both sectors
  flash dump       from address 0, with everything inside";

/// Arguments of `bootswap image info`.
#[derive(Args, Clone, Debug)]
#[command(after_help = KINDS)]
pub struct InfoArgs {
    /// The file
    pub file: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bootswap image verify`.
#[derive(Args, Clone, Debug)]
#[command(after_help = KINDS)]
pub struct VerifyArgs {
    /// The file
    pub file: PathBuf,
    /// Key that an MCUboot image must be signed with, public or private, as PEM; without it, only
    /// the hash is checked
    #[arg(long, short, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// Bytes of the slot that an MCUboot image must fit, trailer included
    #[arg(long, short = 'S', value_name = "BYTES", value_parser = slot_len_bytes)]
    pub slot_size: Option<u32>,
    /// Trailer of the bootloader that an MCUboot image is for
    #[command(flatten)]
    pub trailer: TrailerArgs,
    /// Chip that an ESP image or flash dump must be for
    #[arg(long, value_name = "CHIP", value_parser = ChipParser)]
    pub chip: Option<Chip>,
    /// Flash size that a partition table must fit, as in 4MB
    #[arg(long, value_name = "SIZE")]
    pub flash_size: Option<FlashSize>,
    /// Migration whose flash map a bootloader must be built with
    #[arg(long, value_name = "MIGRATION.toml")]
    pub migration: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bootswap image sign`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The image for the C example's slots: bootswap image sign app.bin -v 1.2.3 \
                  --pad-header -S \
                  0x100000 --pad --confirm -o app_upd.bin"
)]
pub struct SignArgs {
    /// The application's binary
    pub file: PathBuf,
    /// File to write the image to
    #[arg(long, short, value_name = "OUT")]
    pub out: PathBuf,
    /// Whether it may be there already
    #[command(flatten)]
    pub force: Force,
    /// Version, as in 1.2.3+4
    #[arg(long, short, value_name = "VERSION", value_parser = version)]
    pub version: ImageVersion,
    /// Private key as PEM; without it the image has a hash only
    #[arg(long, short, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// Bytes from the image's start to the code
    #[arg(long, short = 'H', value_name = "BYTES", default_value = "0x20")]
    #[arg(value_parser = short_len_bytes)]
    pub header_size: u16,
    /// Put space for the header in front of the binary; without this option the binary must begin
    /// with that many zeros
    #[arg(long)]
    pub pad_header: bool,
    /// Bytes of the slot, trailer included
    #[arg(long, short = 'S', value_name = "BYTES", value_parser = slot_len_bytes)]
    pub slot_size: u32,
    /// Trailer of the bootloader that the image is for
    #[command(flatten)]
    pub trailer: TrailerArgs,
    /// Pad the image to the whole slot, with a trailer that makes MCUboot test it once
    #[arg(long)]
    pub pad: bool,
    /// Pad the image to the whole slot, with a trailer that makes MCUboot keep it
    #[arg(long)]
    pub confirm: bool,
    /// Security counter: a number, or auto for one that follows from the version
    #[arg(long, short, value_name = "NUMBER", value_parser = security_counter)]
    pub security_counter: Option<SecurityCounter>,
    /// Another image that this one needs, as in 1:1.2.3+4; may be repeated
    #[arg(long = "dependency", alias = "dependencies", short, value_name = "ID:VERSION")]
    #[arg(value_parser = dependency)]
    pub dependencies: Vec<Dependency>,
}

/// Arguments of `bootswap image confirm`.
#[derive(Args, Clone, Debug)]
pub struct ConfirmArgs {
    /// The padded image
    pub file: PathBuf,
    /// File to write it to; without it, the file itself is changed
    #[arg(long, short, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Whether it may be there already
    #[command(flatten)]
    pub force: Force,
    /// Trailer of the bootloader that the image is for
    #[command(flatten)]
    pub trailer: TrailerArgs,
}

/// A security counter, as given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityCounter {
    /// The one that imgtool derives from the image's version.
    Auto,
    /// This one.
    Number(u32),
}

impl SecurityCounter {
    /// The counter of an image of that version.
    #[must_use]
    pub const fn of(self, version: ImageVersion) -> u32 {
        match self {
            Self::Auto => version.security_counter(),
            Self::Number(number) => number,
        }
    }
}

/// Settings that are compiled into the bootloader and decide where its trailer is.
///
/// The defaults are those of Espressif's MCUboot.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailerArgs {
    /// How the bootloader upgrades: scratch, move, offset or overwrite
    #[arg(long, value_name = "KIND", default_value = "scratch")]
    pub swap: SwapKind,
    /// Bytes that the bootloader writes at once
    #[arg(long, value_name = "BYTES", default_value = "4", value_parser = align)]
    pub align: u32,
    /// Distance of the trailer's fields in bytes: 8, 16 or 32
    #[arg(long, value_name = "BYTES", default_value = "8", value_parser = max_align)]
    pub max_align: u32,
    /// Sectors of a slot that the trailer has room for
    #[arg(long, short = 'M', value_name = "NUMBER", default_value = "512")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=MAX_SECTORS))]
    pub max_sectors: u32,
}

/// Sectors of the largest slot: 16 MiB, the range of addresses of three bytes.
const MAX_SECTORS: i64 = 4096;

impl TrailerArgs {
    /// Refuses settings that no bootloader is built with.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] that names the options.
    pub fn check(&self) -> Result<(), CommandError> {
        let Self { align, max_align, .. } = *self;
        if align <= max_align {
            return Ok(());
        }
        Err(CommandError::input(
            format_args!("--align {align} is more than --max-align {max_align}"),
            "give both as the bootloader was built with: MCUBOOT_BOOT_MAX_ALIGN is the larger one",
        ))
    }

    /// The trailer as `mcuboot-format` describes it.
    #[must_use]
    pub const fn config(&self) -> TrailerConfig {
        let Self { swap, align, max_align, max_sectors } = *self;
        TrailerConfig { write_unit_bytes: align, max_align, max_sectors, swap }
    }
}

impl Default for TrailerArgs {
    fn default() -> Self {
        let TrailerConfig { write_unit_bytes, max_align, max_sectors, swap } =
            TrailerConfig::espressif(SwapKind::Scratch);
        Self { swap, align: write_unit_bytes, max_align, max_sectors }
    }
}
