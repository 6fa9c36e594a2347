//! `bootswap image carrier` and `bootswap image first-stage`.

use std::path::Path;

use bootswap_migration::carrier::{
    self, CarrierError, CarrierOptions, LoaderImage, OldSystem, TargetBootloader, TrialOptions,
};

use crate::args::{CarrierArgs, FirstStageArgs, LoaderArgs};
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::output::{Destination, note};
use crate::pack;

/// What both commands read.
struct Parts {
    inputs: Inputs,
    loader: LoaderImage,
    bootloader: TargetBootloader,
}

/// Runs `bootswap image carrier`.
pub(super) fn carrier(args: &CarrierArgs) -> Result<Verdict, CommandError> {
    let Parts { mut inputs, loader, bootloader } = parts(&args.loader)?;
    let name = &args.loader.file;
    let mut otadata = args.otadata;
    if let Some(path) = &args.flash {
        let dump = inputs.read(path)?;
        let old = OldSystem::read(args.loader.chip, &dump)
            .map_err(|error| CommandError::of_dump(path, &error))?;
        old.check_flash_settings(&bootloader).map_err(|error| refused(name, &error))?;
        otadata = Some(old.otadata().map_err(|error| refused(path, &error))?);
    }
    let out = Destination::new(&args.loader.out, &inputs, args.loader.force)?;
    let options = CarrierOptions {
        otadata,
        trial: args.starts.map(|starts| TrialOptions { starts, watchdog_s: args.watchdog }),
        secure_version: args.secure_version,
    };
    let file =
        carrier::carrier(&loader, &bootloader, options).map_err(|error| refused(name, &error))?;
    out.write(&file)?;
    if otadata.is_none() {
        note(format_args!(
            "warning: without --flash or --otadata, the carrier has no way back if both copies are \
             damaged"
        ));
    }
    if args.flash.is_none() {
        note(format_args!(
            "warning: without --flash, MCUboot's flash settings were not compared with those of \
            the old bootloader, which remain in effect"
        ));
    }
    note(format_args!("wrote {out}: {:#x} bytes, for any app partition of that size", file.len()));
    Ok(Verdict::Safe)
}

/// Runs `bootswap image first-stage`.
pub(super) fn first_stage(args: &FirstStageArgs) -> Result<Verdict, CommandError> {
    let Parts { inputs, loader, bootloader } = parts(&args.loader)?;
    let name = &args.loader.file;
    let out = Destination::new(&args.loader.out, &inputs, args.loader.force)?;
    let file = carrier::first_stage(&loader, &bootloader, args.second)
        .map_err(|error| refused(name, &error))?;
    out.write(&file)?;
    let (chip, second) = (args.loader.chip, args.second);
    note(format_args!(
        "wrote {out}: {:#x} bytes for {}; write {} itself to {second}",
        file.len(),
        chip.bootloader_addr(),
        name.display()
    ));
    Ok(Verdict::Safe)
}

fn parts(args: &LoaderArgs) -> Result<Parts, CommandError> {
    let LoaderArgs { file, chip, loader: path, .. } = args;
    let mut inputs = Inputs::default();
    let bytes = inputs.read(file)?;
    let bootloader = TargetBootloader::new(bytes, *chip).map_err(|error| refused(file, &error))?;
    let path = match path {
        Some(path) => path.clone(),
        None => pack::beside(*chip, "-loader.bin", "loader", "--loader")?,
    };
    let bytes = inputs.read(&path)?;
    let loader = LoaderImage::new(&bytes, *chip).map_err(|error| refused(&path, &error))?;
    Ok(Parts { inputs, loader, bootloader })
}

fn refused(path: &Path, error: &CarrierError) -> CommandError {
    CommandError::input(format_args!("{}: {error}", path.display()), error.help())
}
