//! `bootswap image confirm`.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use mcuboot_format::ImageHeader;
use mcuboot_format::builder::{SignError, confirm};

use crate::args::ConfirmArgs;
use crate::error::{CommandError, Verdict};
use crate::input::read;

/// Runs the command.
pub(super) fn command(args: &ConfirmArgs) -> Result<Verdict, CommandError> {
    let name = args.file.display();
    let before = read(&args.file)?;
    ImageHeader::parse(&before).map_err(|error| {
        CommandError::input(format_args!("{name}: {error}"), "name an MCUboot image")
    })?;
    let mut after = before.clone();
    confirm(&mut after, args.trailer.config()).map_err(|error| {
        let help = match error {
            SignError::NotPadded { .. } => {
                "sign it with --pad; if it is padded, give --max-align as the bootloader was built \
                 with"
            }
            _ => "give --align and --max-align as the bootloader was built with",
        };
        CommandError::input(format_args!("{name}: {error}"), help)
    })?;
    let out = args.out.as_deref().unwrap_or(&args.file);
    match args.out {
        Some(_) => fs::write(out, &after),
        None => patch(out, &before, &after),
    }
    .map_err(|error| CommandError::file("write", out, &error))?;
    eprintln!("confirmed {}", out.display());
    Ok(Verdict::Safe)
}

/// Writes only what changed, so that the file is never less than it was.
fn patch(path: &Path, before: &[u8], after: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    for (offset, (_, byte)) in
        before.iter().zip(after).enumerate().filter(|(_, (old, new))| old != new)
    {
        file.seek(SeekFrom::Start(offset as u64))?;
        file.write_all(&[*byte])?;
    }
    file.sync_all()
}
