//! The size of a firmware in flash and memory, by section, and its budget.

use std::fmt;

use anyhow::{Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

use super::chip::{Firmware, Network};

/// Bytes that an image for ESP32-C3 with Wi-Fi and HTTP may have at most; why, is said in
/// firmware/README.md.
const IMAGE_BUDGET_BYTES: usize = 676 * 1024;
/// Bytes that no image may exceed: with a migration in it, it has to fit an OTA partition of 1 MiB.
const IMAGE_LIMIT_BYTES: usize = 960 * 1024;

/// A section that takes memory or flash.
#[derive(Clone, Debug)]
struct Section {
    name: String,
    address: u64,
    len_bytes: u64,
    /// Whether its bytes are in the image.
    is_stored: bool,
    /// Whether it is in memory that can be written.
    is_ram: bool,
}

/// How many of the largest statics are printed.
const LARGEST: usize = 10;

/// A static: it takes memory all the time.
#[derive(Clone, Debug)]
struct Static {
    name: String,
    len_bytes: u64,
}

/// The size of a firmware.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    what: String,
    sections: Vec<Section>,
    /// The largest first.
    statics: Vec<Static>,
    image_len_bytes: usize,
    limit_bytes: usize,
}

impl Sizes {
    /// Reads the sections of an ELF.
    pub(super) fn of(firmware: Firmware, bytes: &[u8], image_len_bytes: usize) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let mut sections = Vec::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || section.size() == 0 {
                continue;
            }
            let name = section.name()?.to_owned();
            // Read-only data, and code that is not copied to memory, are mapped from flash.
            let in_flash =
                name.starts_with(".rodata") || name == ".text" || name == ".flash.appdesc";
            // Gaps that the linker script leaves between sections.
            let is_gap = name.contains("dummy");
            let is_stored = section.kind() != object::SectionKind::UninitializedData && !is_gap;
            sections.push(Section {
                address: section.address(),
                len_bytes: section.size(),
                is_stored,
                is_ram: !in_flash && !is_gap,
                name,
            });
        }
        let network = match firmware.network {
            Network::Wifi => "Wi-Fi and HTTP",
            Network::Openeth => "emulated Ethernet and HTTP",
            Network::None => "embedded artifacts",
        };
        let what = format!("migrator for {} with {network}", firmware.chip.name());
        let statics = statics(&file, &sections);
        let limit_bytes = limit_bytes(firmware.chip.name());
        Ok(Self { what, sections, statics, image_len_bytes, limit_bytes })
    }

    /// Fails if the image is too large to be sent out.
    pub(super) fn within_limit(&self) -> Result<()> {
        let Self { what, image_len_bytes, limit_bytes, .. } = self;
        ensure!(
            image_len_bytes <= limit_bytes,
            "{what} has {image_len_bytes} bytes, at most {limit_bytes} are allowed"
        );
        Ok(())
    }

    /// Bytes of memory that are taken all the time, without the stack.
    fn ram_bytes(&self) -> u64 {
        let taken = self.sections.iter().filter(|s| s.is_ram && !s.name.starts_with(".stack"));
        taken.map(|section| section.len_bytes).sum()
    }
}

/// The most bytes that an image for a chip may have. The budget is a limit for ESP32-C3 only: the
/// radio's libraries of later chips are larger.
fn limit_bytes(chip: &str) -> usize {
    if chip == "esp32c3" { IMAGE_BUDGET_BYTES } else { IMAGE_LIMIT_BYTES }
}

/// The largest statics.
fn statics(file: &object::File<'_>, sections: &[Section]) -> Vec<Static> {
    let in_memory = |address: u64| {
        let holds = |s: &&Section| (s.address..s.address + s.len_bytes).contains(&address);
        sections.iter().filter(|s| s.is_ram && !s.name.starts_with(".stack")).find(holds)
    };
    let data = file.symbols().filter(|s| s.kind() == object::SymbolKind::Data && s.size() > 0);
    let mut statics: Vec<Static> = data
        .filter(|symbol| in_memory(symbol.address()).is_some())
        .filter_map(|symbol| {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
            Some(Static { name, len_bytes: symbol.size() })
        })
        .collect();
    statics.sort_by_key(|symbol| std::cmp::Reverse(symbol.len_bytes));
    statics.truncate(LARGEST);
    statics
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {:<24}{:>12}{:>10}  in", "section", "address", "bytes")?;
        for Section { name, address, len_bytes, is_stored, is_ram } in &self.sections {
            let place = match (is_ram, is_stored) {
                (true, true) => "memory, from the image",
                (true, false) => "memory",
                (false, true) => "flash",
                (false, false) => "address space only",
            };
            writeln!(f, "  {name:<24}{address:>#12x}{len_bytes:>10}  {place}")?;
        }
        writeln!(f, "  {:<46}{:>10}", "largest in memory", "bytes")?;
        for Static { name, len_bytes } in &self.statics {
            let start = name.len().saturating_sub(44);
            writeln!(f, "  {:<46}{len_bytes:>10}", name.get(start..).unwrap_or(name))?;
        }
        let Self { image_len_bytes, limit_bytes, .. } = self;
        let percent = image_len_bytes * 100 / limit_bytes;
        writeln!(
            f,
            "image      {image_len_bytes} bytes, {percent} % of the {limit_bytes} allowed"
        )?;
        let stack = self.sections.iter().find(|section| section.name.starts_with(".stack"));
        write!(f, "memory     {} bytes static", self.ram_bytes())?;
        if let Some(stack) = stack {
            write!(f, ", {} bytes left for the stack", stack.len_bytes)?;
        }
        Ok(())
    }
}
