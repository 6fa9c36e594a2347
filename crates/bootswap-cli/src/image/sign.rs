//! `bootswap image sign`.

use mcuboot_format::builder::{Padding, SignError, SignOptions, sign};
use mcuboot_format::key::PrivateKey;

use super::file::text;
use crate::args::SignArgs;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::output::{Destination, note};

/// What a private key may be.
pub(super) const PRIVATE_KEY_HELP: &str = "name a private key of ECDSA P-256, Ed25519, RSA-2048 or \
                                           RSA-3072 as PEM, without passphrase";

/// Runs the command.
pub(super) fn command(args: &SignArgs) -> Result<Verdict, CommandError> {
    let mut inputs = Inputs::default();
    args.trailer.check()?;
    let payload = inputs.read(&args.file)?;
    let header_len = if args.pad_header { 0 } else { usize::from(args.header_size) };
    if payload.is_empty() || payload.len() == header_len {
        return Err(CommandError::input(
            format_args!("{}: the file contains no application", args.file.display()),
            "name the application's binary, as made by objcopy or the build",
        ));
    }
    let key = args.key.as_deref().map(|path| {
        PrivateKey::from_pem(&text(path, inputs.read(path)?)?).map_err(|error| {
            CommandError::input(format_args!("{}: {error}", path.display()), PRIVATE_KEY_HELP)
        })
    });
    let key = key.transpose()?;
    let out = Destination::new(&args.out, &inputs, args.force)?;
    let options = SignOptions {
        version: args.version,
        header_len_bytes: args.header_size,
        pad_header: args.pad_header,
        slot_len_bytes: args.slot_size,
        trailer: args.trailer.config(),
        padding: match (args.confirm, args.pad) {
            (true, _) => Padding::Confirmed,
            (false, true) => Padding::Pending,
            (false, false) => Padding::None,
        },
        security_counter: args.security_counter.map(|counter| counter.of(args.version)),
        dependencies: &args.dependencies,
        key: key.as_ref(),
    };
    let image = sign(&payload, &options).map_err(|error| {
        CommandError::input(format_args!("{}: {error}", args.file.display()), help(&error))
    })?;
    out.write(&image)?;
    let signed = key.map_or("not signed".to_owned(), |key| format!("signed with {}", key.kind()));
    note(format_args!("wrote {out}: version {}, {:#x} bytes, {signed}", args.version, image.len()));
    Ok(Verdict::Safe)
}

const fn help(error: &SignError) -> &'static str {
    match error {
        SignError::HeaderLen { .. } => "give --header-size 0x20 or more",
        SignError::PayloadTooShort { .. } | SignError::HeaderNotZero { .. } => {
            "add --pad-header, unless the linker script leaves room for the header"
        }
        SignError::AreaTooLong { .. } => "name fewer dependencies",
        SignError::TooLong { .. } => {
            "make the application smaller, or give the --slot-size that the bootloader has"
        }
        SignError::Trailer(_) => {
            "give --slot-size, --align and --max-align as the bootloader was built with"
        }
        _ => "check the key and the options",
    }
}
