//! `bootswap image verify`: runs all checks, and prints all of their results.

use std::path::Path;

use bootswap_migration::OwnedMap;
use bootswap_migration::image::{FileKind, Wanted, verify};
use bootswap_migration::key_file::{self, KeyFileError};
use mcuboot_format::key::{PrivateKey, PublicKey};

use super::file::read_known;
use super::sign::PRIVATE_KEY_HELP;
use crate::args::{TrailerArgs, VerifyArgs};
use crate::error::{CommandError, Verdict};
use crate::input::read;
use crate::output;

/// Runs the command.
pub(super) fn command(args: &VerifyArgs) -> Result<Verdict, CommandError> {
    args.trailer.check()?;
    let (file, kind) = read_known(&args.file)?;
    refuse_useless(args, kind)?;
    let key = args.key.as_deref().map(public_key).transpose()?;
    let map = args.migration.as_deref().map(map_of).transpose()?;
    let wanted = Wanted {
        key: key.as_ref(),
        slot_len_bytes: args.slot_size,
        trailer: args.trailer.config(),
        chip: args.chip,
        flash_size: args.flash_size,
        map: map.as_ref(),
    };
    let verification = verify(&file, kind, &wanted).map_err(|error| {
        CommandError::input(
            error,
            "give --slot-size, --align, --max-align and --swap as the bootloader was built with",
        )
    })?;
    if args.json {
        output::json(&verification)?;
    } else {
        output::text(&verification.to_string())?;
    }
    Ok(if verification.is_good() { Verdict::Safe } else { Verdict::Unsafe })
}

/// Refuses an option that has no effect on a file of this kind: it is a mistake.
fn refuse_useless(args: &VerifyArgs, kind: FileKind) -> Result<(), CommandError> {
    let is_mcuboot = kind == FileKind::McubootImage;
    let has_chip =
        matches!(kind, FileKind::EspImage | FileKind::FactoryImage | FileKind::FlashDump);
    let options = [
        ("--key", args.key.is_some(), is_mcuboot),
        ("--slot-size", args.slot_size.is_some(), is_mcuboot),
        (
            "--swap, --align, --max-align or --max-sectors",
            args.trailer != TrailerArgs::default(),
            is_mcuboot,
        ),
        ("--chip", args.chip.is_some(), has_chip || is_mcuboot),
        ("--flash-size", args.flash_size.is_some(), kind == FileKind::PartitionTable),
        ("--migration", args.migration.is_some(), kind == FileKind::EspImage),
    ];
    match options.into_iter().find(|(_, given, useful)| *given && !useful) {
        None => Ok(()),
        Some((option, ..)) => Err(CommandError::input(
            format_args!(
                "{}: {option} has no effect on this file, which is: {kind}",
                args.file.display()
            ),
            "leave the option out, or name another file",
        )),
    }
}

/// The map in a migration.
fn map_of(path: &Path) -> Result<OwnedMap, CommandError> {
    bootswap_migration::load(path)?.mcuboot.ok_or_else(|| {
        CommandError::input(
            format_args!("{}: there is no [mcuboot]", path.display()),
            "describe the target bootloader's slots, or leave --migration out",
        )
    })
}

/// The public key in a file, which may also be a private key as PEM.
fn public_key(path: &Path) -> Result<PublicKey, CommandError> {
    let file = read(path)?;
    let (error, help) = match key_file::public_key(&file) {
        Ok(key) => return Ok(key),
        Err(KeyFileError::Private) => {
            match PrivateKey::from_pem(str::from_utf8(&file).unwrap_or_default()) {
                Ok(key) => return Ok(key.public_key()),
                Err(error) => (error.to_string(), PRIVATE_KEY_HELP),
            }
        }
        Err(error) => (error.to_string(), error.help()),
    };
    Err(CommandError::input(format_args!("{}: {error}", path.display()), help))
}
