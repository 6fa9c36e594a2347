//! `bootswap image confirm`.

use mcuboot_format::ImageHeader;
use mcuboot_format::builder::{SignError, confirm};

use crate::args::ConfirmArgs;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::output::whole::{self, Existing};
use crate::output::{Destination, note};

/// Runs the command.
pub(super) fn command(args: &ConfirmArgs) -> Result<Verdict, CommandError> {
    let name = args.file.display();
    args.trailer.check()?;
    let mut inputs = Inputs::default();
    let mut image = inputs.read(&args.file)?;
    let out = args.out.as_deref().map(|path| Destination::new(path, &inputs, args.force));
    let out = out.transpose()?;
    ImageHeader::parse(&image).map_err(|error| {
        CommandError::input(format_args!("{name}: {error}"), "name an MCUboot image")
    })?;
    confirm(&mut image, args.trailer.config()).map_err(|error| {
        let help = match error {
            SignError::NotPadded { .. } => {
                "sign it with --pad; if it is padded, give --max-align as the bootloader was built \
                 with"
            }
            _ => "give --align and --max-align as the bootloader was built with",
        };
        CommandError::input(format_args!("{name}: {error}"), help)
    })?;
    match &out {
        Some(out) => out.write(&image)?,
        // Without --out, the user asks to change the file itself.
        None => whole::write(&args.file, &image, Existing::Replace)
            .map_err(|error| CommandError::file("write", &args.file, &error))?,
    }
    note(format_args!("confirmed {}", args.out.as_deref().unwrap_or(&args.file).display()));
    Ok(Verdict::Safe)
}
