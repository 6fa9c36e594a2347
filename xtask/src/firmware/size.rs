//! The size of a firmware in flash and memory, by section, and its budget.

use std::fmt;

use anyhow::{Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

use super::budget::Budget;
use super::chip::{Firmware, Network};
use super::ram::is_in_flash;

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
    budget: Budget,
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
            let in_flash = is_in_flash(&name);
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
        let budget = Budget::of(firmware);
        Ok(Self { what, sections, statics, image_len_bytes, budget })
    }

    /// Fails if the image is too large to be sent out, or if too little memory is left.
    pub(super) fn within_budget(&self) -> Result<()> {
        let Self { what, image_len_bytes, budget, .. } = self;
        ensure!(
            *image_len_bytes <= budget.image_bytes,
            "{what} has {image_len_bytes} bytes, at most {} are allowed",
            budget.image_bytes
        );
        let left_bytes = self.stack_bytes();
        ensure!(
            left_bytes >= budget.stack_bytes,
            "{what} leaves {left_bytes} bytes for the stack, it needs {}",
            budget.stack_bytes
        );
        for Section { name, address, len_bytes, .. } in self.sections.iter().filter(|s| s.is_ram) {
            let meets = |(start, end)| *address < end && start < address + len_bytes;
            ensure!(
                !budget.rom_memory.is_some_and(meets),
                "{what}: section {name} goes over the mask ROM's memory"
            );
        }
        Ok(())
    }

    /// Bytes that are left for the stack.
    fn stack_bytes(&self) -> u64 {
        let stack = self.sections.iter().find(|section| section.name.starts_with(".stack"));
        stack.map_or(0, |stack| stack.len_bytes)
    }

    /// Bytes of memory that are taken all the time, without the stack.
    fn ram_bytes(&self) -> u64 {
        let taken = self.sections.iter().filter(|s| s.is_ram && !s.name.starts_with(".stack"));
        taken.map(|section| section.len_bytes).sum()
    }
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
        let Self { image_len_bytes, budget, .. } = self;
        let percent = image_len_bytes * 100 / budget.image_bytes;
        let allowed = budget.image_bytes;
        writeln!(f, "image      {image_len_bytes} bytes, {percent} % of the {allowed} allowed")?;
        write!(f, "memory     {} bytes static", self.ram_bytes())?;
        write!(f, ", {} bytes left for the stack", self.stack_bytes())?;
        if budget.stack_bytes > 0 {
            write!(f, ", of which it needs {}", budget.stack_bytes)?;
        }
        Ok(())
    }
}
