//! The loader of carriers and first stages: from its ELF to a bootloader image, and its budgets.
//!
//! ```text
//!   firmware/loader --cargo--> ELF --> bootswap-CHIP-loader.bin --> bootswap image carrier
//! ```
//!
//! The image is that of a first stage with a blank record. A carrier gets its segment.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use carrier_format::{IMAGE_MAX_BYTES, LOADER_MAX_BYTES, LoaderMemory};
use esp_idf_format::image::ImageBuilder;
use object::{Object, ObjectSegment};

use super::chip::Chip;
use super::{sources, warnings};
use crate::process::cargo;
use crate::standard_library::StandardLibrary;
use crate::workspace;

/// A loader that was built.
#[derive(Debug)]
pub(crate) struct Loader {
    chip: Chip,
    /// Its image.
    pub(crate) image: PathBuf,
    code_bytes: usize,
    image_bytes: usize,
}

/// Whether there is a loader for a chip.
pub(crate) fn exists(chip: Chip) -> bool {
    format_chip(chip).and_then(LoaderMemory::of).is_some()
}

fn format_chip(chip: Chip) -> Option<esp_idf_format::Chip> {
    esp_idf_format::Chip::from_name(chip.name())
}

/// The name of the image file.
pub(crate) fn file_name(chip: Chip) -> String {
    format!("bootswap-{}-loader.bin", chip.name())
}

/// Builds the loader for a chip into `out`.
///
/// # Errors
///
/// If its target is missing, with what to run, if it does not build, or if it is too large.
pub(crate) fn make(chip: Chip, out: &Path) -> Result<Loader> {
    let elf_path = elf(chip)?;
    let elf = fs::read(&elf_path).with_context(|| elf_path.display().to_string())?;
    let file = object::File::parse(elf.as_slice())?;
    let entry_addr = u32::try_from(file.entry())?;
    let name = chip.name();
    let mut image = ImageBuilder::new(format_chip(chip).context(name)?).entry_addr(entry_addr);
    let mut code_bytes = 0;
    for segment in file.segments() {
        let data = segment.data()?;
        code_bytes += data.len();
        image = image.segment(u32::try_from(segment.address())?, data);
    }
    let bytes = image.build().with_context(|| elf_path.display().to_string())?;
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let path = out.join(file_name(chip));
    fs::write(&path, &bytes).with_context(|| path.display().to_string())?;
    let loader = Loader { chip, image: path, code_bytes, image_bytes: bytes.len() };
    loader.within_budget()?;
    Ok(loader)
}

impl Loader {
    fn within_budget(&self) -> Result<()> {
        let Self { code_bytes, image_bytes, .. } = self;
        let (code_max, image_max) = (LOADER_MAX_BYTES as usize, IMAGE_MAX_BYTES as usize);
        ensure!(
            *code_bytes <= code_max && *image_bytes <= image_max,
            "the loader for {} has {code_bytes} bytes, and {image_bytes} as an image; at most \
             {code_max} and {image_max} are allowed",
            self.chip.name()
        );
        Ok(())
    }
}

impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chip, code_bytes, image_bytes, .. } = self;
        writeln!(
            f,
            "loader     {code_bytes} bytes for {}, of the {LOADER_MAX_BYTES} allowed",
            chip.name()
        )?;
        write!(f, "as image   {image_bytes} bytes, of the {IMAGE_MAX_BYTES} allowed")
    }
}

/// Builds it and returns the path of its ELF.
fn elf(chip: Chip) -> Result<PathBuf> {
    let target_dir = workspace::target("firmware-build")?;
    let mut build = cargo();
    build.current_dir(workspace::root()?.join("firmware"));
    build.args(["build", "--locked", "--release", "--quiet", "--package", "bootswap-loader"]);
    build.args(["--features", chip.name(), "--config", "loader/size.toml"]);
    build.arg("--target-dir").arg(&target_dir);
    StandardLibrary::obtain(chip.target())?.apply(&mut build);
    sources::shorten(&mut build, chip.target(), Vec::new())?;
    warnings::deny(&mut build)?;
    Ok(target_dir.join(chip.target()).join("release/loader"))
}
