//! The RAM into which the mask ROM, or a loader, loads a bootloader, byte by byte.
//!
//! The judge has a model of its own: banks of bytes, with the addresses that each bus has for them.
//! It shares no code with `esp_idf_format::memory` and `carrier_format`, which refuse bootloaders;
//! its addresses are from the same source, `components/soc/<chip>/include/soc/soc.h` of
//! `espressif/esp-idf`.

use carrier_format::LoaderMemory;
use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader, segments};

/// What a loader keeps free for the stack on which it starts a bootloader: from `__stack_sentry` to
/// `__stack` in `components/bootloader/subproject/main/ld/<chip>/bootloader.ld` of
/// `espressif/esp-idf`.
const ROM_STACK_BYTES: u32 = 0x2000;

/// Why a loaded bootloader does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadFailure {
    /// A byte goes to an address without memory; on a chip the access is a fault, or is lost.
    NoMemory {
        /// The address.
        addr: u32,
    },
    /// A byte goes over one that the ROM needs, or that an earlier segment loaded.
    Overwritten {
        /// The address that it goes to.
        addr: u32,
    },
    /// The first instruction is not in memory that was loaded and can be executed.
    Entry {
        /// Its address.
        addr: u32,
    },
}

/// A bank: the addresses of its first byte on the data bus and on the instruction bus, and its
/// length. The address is 0 on a bus that does not reach the bank.
struct Bank {
    data: u32,
    instruction: u32,
    len_bytes: u32,
    /// Whether the instruction bus has its words in the opposite order.
    turned: bool,
}

const fn bank(data: u32, instruction: u32, len_bytes: u32) -> Bank {
    Bank { data, instruction, len_bytes, turned: false }
}

/// The banks of a chip, without those that are caches while it boots.
fn banks(chip: Chip) -> Vec<Bank> {
    match chip {
        Chip::Esp32 => vec![
            bank(0, 0x4007_8000, 0x2_8000),
            bank(0x3ffa_e000, 0, 0x3_2000),
            Bank { data: 0x3ffe_0000, instruction: 0x400a_0000, len_bytes: 0x2_0000, turned: true },
        ],
        Chip::Esp32s2 => vec![bank(0x3ffb_0000, 0x4002_0000, 0x5_0000)],
        Chip::Esp32s3 => vec![bank(0x3fc8_8000, 0x4037_8000, 0x6_8000)],
        Chip::Esp32c3 => vec![bank(0x3fc8_0000, 0x4038_0000, 0x6_0000)],
        Chip::Esp32c6 => vec![bank(0x4080_0000, 0x4080_0000, 0x8_0000)],
        Chip::Esp32h2 => vec![bank(0x4080_0000, 0x4080_0000, 0x5_0000)],
    }
}

/// Data addresses that the ROM uses while it loads: the end of its stack, and its variables. 0x5b0
/// bytes of stack are in use on an emulated ESP32-C3 with its real ROM, which refuses to load over
/// them or over its variables. For the other chips, the places are from the comments of
/// `components/bootloader/subproject/main/ld/<chip>/bootloader.ld` in `espressif/esp-idf`, and on
/// ESP32 by `components/heap/port/esp32/memory_layout.c`.
fn of_rom(chip: Chip) -> [(u32, u32); 2] {
    let last = |stack_end: u32| (stack_end - 0x5b0, stack_end);
    match chip {
        Chip::Esp32 => [(0x3ffe_0000, 0x3ffe_0440), last(0x3ffe_3f20)],
        Chip::Esp32s2 => [last(0x3fff_e710), (0x3fff_e710, 0x4000_0000)],
        Chip::Esp32s3 => [last(0x3fce_b710), (0x3fce_d710, 0x3fcf_0000)],
        Chip::Esp32c3 => [last(0x3fcd_e710), (0x3fcd_e710, 0x3fce_0000)],
        Chip::Esp32c6 => [last(0x4087_e610), (0x4087_e610, 0x4088_0000)],
        Chip::Esp32h2 => [last(0x4084_f380), (0x4084_f380, 0x4085_0000)],
    }
}

/// One byte of memory: which bank, and where in it.
type Cell = (usize, u32);

fn cell(banks: &[Bank], addr: u32) -> Option<(Cell, bool)> {
    banks.iter().enumerate().find_map(|(number, bank)| {
        let within = |from: u32| (from != 0).then(|| addr.checked_sub(from))?;
        let inside = |at: &u32| *at < bank.len_bytes;
        if let Some(at) = within(bank.instruction).filter(inside) {
            let turned = bank.len_bytes - 4 - (at & !3) + (at & 3);
            return Some(((number, if bank.turned { turned } else { at }), true));
        }
        within(bank.data).filter(inside).map(|at| ((number, at), false))
    })
}

/// Whether a loader loads a segment: it has whole words, and lies after the RAM that the loader
/// keeps for itself and before the stack. Otherwise the loader treats the image as damaged.
pub(crate) fn loader_takes(chip: Chip, load_addr: u32, len_bytes: u32) -> bool {
    // There are loaders only for chips with one bank.
    let banks = banks(chip);
    let [bank] = banks.as_slice() else { return false };
    let [(_, stack_end_addr), _] = of_rom(chip);
    let end = stack_end_addr - ROM_STACK_BYTES - bank.data;
    let offset = |from: u32| load_addr.checked_sub(from).filter(|at| *at < bank.len_bytes);
    let at = offset(bank.instruction).or_else(|| offset(bank.data));
    (load_addr | len_bytes).is_multiple_of(4)
        && at.is_some_and(|at| at >= LoaderMemory::RESERVED_BYTES && at <= end)
        && at.is_some_and(|at| len_bytes <= end - at)
}

/// Loads an image that has been verified, and checks what happens to memory. It is loaded by the
/// ROM, or by the loader that lies at `loader_addr`.
pub(crate) fn load(chip: Chip, image: &[u8], loader_addr: Option<u32>) -> Result<(), LoadFailure> {
    let banks = banks(chip);
    let mut taken: Vec<Vec<bool>> =
        banks.iter().map(|bank| vec![false; bank.len_bytes as usize]).collect();
    let mut take = |(bank, at): Cell| {
        let place = taken.get_mut(bank).and_then(|bank| bank.get_mut(at as usize));
        place.is_some_and(|taken| !std::mem::replace(taken, true))
    };
    let loader = loader_addr.map(|addr| (addr, addr.saturating_add(LoaderMemory::RESERVED_BYTES)));
    for addr in of_rom(chip).into_iter().chain(loader).flat_map(|(start, end)| start..end) {
        if let Some((cell, _)) = cell(&banks, addr) {
            take(cell);
        }
    }
    let Ok(header) = EspImageHeader::parse(image) else { return Ok(()) };
    let mut runs = false;
    for segment in segments(image).into_iter().flatten().flatten() {
        let start = segment.header.load_addr;
        for addr in (0..segment.header.len_bytes).map(|at| start.saturating_add(at)) {
            let (cell, executable) = cell(&banks, addr).ok_or(LoadFailure::NoMemory { addr })?;
            if !take(cell) {
                return Err(LoadFailure::Overwritten { addr });
            }
            runs |= executable && addr == header.entry_addr;
        }
    }
    if runs { Ok(()) } else { Err(LoadFailure::Entry { addr: header.entry_addr }) }
}
