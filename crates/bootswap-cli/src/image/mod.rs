//! `bootswap image`: what a file is, whether it is whole, and making MCUboot images.
//!
//! ```text
//!   bytes ──> Kind ──┬─> describe: mcuboot, esp, tables, dump ──> info: text or JSON
//!                    └─> verify: one check after the other ────> verdict
//! ```

mod confirm;
mod describe;
mod dump;
mod esp;
mod kind;
mod lines;
mod mcuboot;
mod migrator;
mod sign;
mod tables;
mod verify;

use std::io;
use std::path::Path;

pub use describe::Description;
pub use dump::{Content, DumpInfo, Found};
pub use esp::{ContainerInfo, EspInfo, SegmentInfo};
pub use kind::Kind;
pub use mcuboot::{McubootInfo, TlvInfo, TrailerInfo};
pub use migrator::{ArtifactInfo, MapInfo, MigrationInfo, MigratorInfo, NetworkInfo, WifiInfo};
pub use tables::{EntryInfo, OtadataInfo, PartitionInfo, TableInfo};
pub use verify::{Check, Verification};

use crate::args::{ImageCommand, InfoArgs};
use crate::input::read;
use crate::{Failure, Verdict, output};

/// Runs a command.
///
/// # Errors
///
/// [`Failure`] where files cannot be read or written, or options do not go with them; that a
/// verification fails is no failure of the command but its [`Verdict`].
pub fn command(command: &ImageCommand) -> Result<Verdict, Failure> {
    match command {
        ImageCommand::Info(args) => info(args),
        ImageCommand::Verify(args) => verify::command(args),
        ImageCommand::Sign(args) => sign::command(args),
        ImageCommand::Confirm(args) => confirm::command(args),
    }
}

fn info(args: &InfoArgs) -> Result<Verdict, Failure> {
    let (bytes, kind) = read_known(&args.file)?;
    let description = Description::of(&bytes, kind);
    if args.json {
        output::json(&description)?;
    } else {
        output::text(&description.to_string())?;
    }
    Ok(Verdict::Safe)
}

/// Reads a file and finds out what it is.
fn read_known(path: &Path) -> Result<(Vec<u8>, Kind), Failure> {
    let bytes = read(path)?;
    let kind = Kind::of(&bytes).ok_or_else(|| {
        let begin = lines::hex(bytes.get(..bytes.len().min(8)).unwrap_or_default());
        Failure::input(
            format_args!(
                "{}: {} bytes that begin with {} at offset 0 are nothing known",
                path.display(),
                bytes.len(),
                if begin.is_empty() { "nothing" } else { &begin }
            ),
            "name an MCUboot image, an ESP image, a partition table, otadata or a dump of a whole flash",
        )
    })?;
    Ok((bytes, kind))
}

/// Reads a text, as keys are.
fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| {
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        Failure::file("read", path, &error)
    })
}
