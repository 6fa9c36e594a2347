//! Disassembles the code that runs while the flash chip is busy: none of it may be in flash.
//!
//! ```text
//!   roots: functions that talk to the flash chip          this file
//!     '--> calls, jumps, constants, in each of them       xtensa.rs, riscv.rs
//!            |--> ROM, registers, memory: fine
//!            |--> a function in memory: looked at as well
//!            '--> flash: an instruction or constant that the cache would read as garbage
//! ```
//!
//! A migrator that fetches an instruction from a flash chip that is erasing executes garbage, with
//! half a bootloader in flash.

mod riscv;
mod xtensa;

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

/// The functions that send commands to the flash chip: those of `firmware/esp/src/flash`, and of
/// the library that it calls. The last one waits for the chip itself; the others call the ROM,
/// which waits.
const ROOTS: [&str; 6] = [
    "esp_storage::chip_specific::spiflash_read",
    "esp_storage::chip_specific::spiflash_unlock",
    "esp_storage::chip_specific::spiflash_erase_sector",
    "esp_storage::chip_specific::spiflash_erase_block",
    "esp_storage::chip_specific::spiflash_write",
    "bootswap::flash::command::erase",
];
/// Parts of the names of functions that code in memory calls before the flash chip gets its
/// command, and after it has finished: they turn interrupts off and on, or save and restore
/// registers.
const BEFORE_AND_AFTER: [&str; 4] =
    ["esp_sync::LockGuard", "_critical_section_1_0_", "__riscv_save_", "__riscv_restore_"];

/// What an instruction refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reference {
    /// Address of the instruction.
    at: u64,
    /// Where it goes, or what it loads.
    to: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The program continues there.
    Code,
    /// A constant is loaded from there.
    Constant,
    /// A value, which may be an address.
    Value,
}

/// A function in the ELF.
#[derive(Clone, Debug)]
struct Function {
    name: String,
    address: u64,
    len_bytes: u64,
}

/// A part of the address space with code or data of the ELF.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    address: u64,
    len_bytes: u64,
    bytes: &'a [u8],
    is_flash: bool,
}

impl Place<'_> {
    fn holds(&self, address: u64) -> bool {
        (self.address..self.address + self.len_bytes).contains(&address)
    }
}

/// The program in the chip's address space.
struct Program<'a> {
    places: Vec<Place<'a>>,
    functions: Vec<Function>,
    is_xtensa: bool,
}

/// Whether a section is mapped from flash and not copied to memory.
pub(super) fn is_in_flash(name: &str) -> bool {
    name.starts_with(".rodata") || name == ".text" || name == ".flash.appdesc"
}

/// Checks an ELF, and returns how many functions it looked at.
///
/// # Errors
///
/// If something that runs while the flash is busy is in flash, with function and address; or if one
/// of the [`ROOTS`] is missing.
pub(super) fn check(bytes: &[u8]) -> Result<usize> {
    let program = Program::read(bytes)?;
    let mut open: Vec<&Function> = Vec::new();
    for root in ROOTS {
        let found = program.functions.iter().find(|function| function.name == root);
        // Inlined into its caller it would be in flash with it.
        let Some(function) = found else { bail!("{root} is not a function of the firmware") };
        open.push(function);
    }
    let mut seen = BTreeSet::new();
    let mut faults = BTreeSet::new();
    while let Some(function) = open.pop() {
        if !seen.insert(function.address) {
            continue;
        }
        if program.is_flash(function.address) {
            faults.insert(format!("{} itself is in flash", function.name));
            continue;
        }
        for Reference { at, to, kind } in program.references(function)? {
            let value = if kind == Kind::Constant { program.word(to) } else { None };
            for target in [Some(to), value].into_iter().flatten() {
                let callee = program.function(target);
                let name = callee.map_or("a constant", |callee| &callee.name);
                if BEFORE_AND_AFTER.iter().any(|known| name.contains(known)) {
                    continue;
                }
                if program.is_flash(target) {
                    faults.insert(format!("{} at {at:#x}: {name} at {target:#x}", function.name));
                }
                // What is not in the ELF is in the ROM, even if the ELF has a name for it.
                let is_ours = program.places.iter().any(|place| place.holds(target));
                open.extend(callee.filter(|callee| is_ours && callee.address == target));
            }
        }
    }
    ensure!(
        faults.is_empty(),
        "while the flash chip is busy these would be read from it:\n  {}",
        faults.into_iter().collect::<Vec<_>>().join("\n  ")
    );
    Ok(seen.len())
}

impl<'a> Program<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let mut places = Vec::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            if sh_flags & u64::from(elf::SHF_ALLOC) != 0 && section.size() > 0 {
                places.push(Place {
                    address: section.address(),
                    len_bytes: section.size(),
                    bytes: section.data().unwrap_or_default(),
                    is_flash: is_in_flash(section.name()?),
                });
            }
        }
        // Labels in assembly have no symbol type.
        let code = file.symbols().filter(|s| match s.kind() {
            object::SymbolKind::Text => true,
            object::SymbolKind::Unknown => s.is_global() && !s.is_undefined(),
            _ => false,
        });
        let functions = code.filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let name = format!("{:#}", rustc_demangle::demangle(name));
            Some(Function { name, address: symbol.address(), len_bytes: symbol.size() })
        });
        let mut functions: Vec<Function> = functions.collect();
        functions.sort_by_key(|function| function.address);
        let is_xtensa = match file.architecture() {
            Architecture::Xtensa => true,
            Architecture::Riscv32 => false,
            other => bail!("the ELF is for {other:?}"),
        };
        Ok(Self { places, functions, is_xtensa })
    }

    fn is_flash(&self, address: u64) -> bool {
        self.places.iter().any(|place| place.is_flash && place.holds(address))
    }

    /// The function that an address lies in.
    fn function(&self, address: u64) -> Option<&Function> {
        let after = self.functions.partition_point(|function| function.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let len_bytes = function.len_bytes.max(1);
        (address < function.address + len_bytes).then_some(function)
    }

    /// Bytes of the ELF.
    fn bytes(&self, address: u64, len_bytes: u64) -> Option<&'a [u8]> {
        let place = self.places.iter().find(|place| place.holds(address))?;
        let start = usize::try_from(address - place.address).ok()?;
        place.bytes.get(start..start + usize::try_from(len_bytes).ok()?)
    }

    fn word(&self, address: u64) -> Option<u64> {
        let word = self.bytes(address, 4)?.first_chunk()?;
        Some(u64::from(u32::from_le_bytes(*word)))
    }

    /// Jumps and calls out of a function, and the constants that it loads.
    fn references(&self, function: &Function) -> Result<Vec<Reference>> {
        let Function { name, address, len_bytes } = function;
        let code = self.bytes(*address, *len_bytes).filter(|code| !code.is_empty());
        let Some(code) = code else { bail!("{name} at {address:#x} has no instructions") };
        let within = *address..address + len_bytes;
        let mut found = if self.is_xtensa {
            xtensa::references(code, *address)
        } else {
            riscv::references(code, *address)
        };
        found.retain(|reference| reference.kind != Kind::Code || !within.contains(&reference.to));
        Ok(found)
    }
}
