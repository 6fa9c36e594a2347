//! The number of sectors of a slot that a bootloader has room for (`BOOT_MAX_IMG_SECTORS`).
//!
//! The number `n` is in no record. It is visible in code:
//!
//! ```text
//! load n                     near the address of the text that names BOOT_MAX_IMG_SECTORS
//! load 8 n, or 16 n          near the address of the sectors' arrays, which are zero data
//! load 3 n, or 2 n           the status area has as many steps: 2 for swap using offset, else 3
//! 8 n a slot                 have to fit into the zero data
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::code::{Code, Constant, Cpu};
use super::memory::Memory;
use super::{Found, Location};
use crate::SwapKind;

/// Plausible numbers: slots of 256 KiB to 32 MiB.
const PLAUSIBLE: RangeInclusive<u32> = 64..=8192;
/// The end of the text with which the bootloader prints the number.
const LOG: &[u8] = b"BOOT_MAX_IMG_SECTORS=%d";
/// Registers of the arguments after the text in the call that prints it: a1 to a3.
const ARGUMENTS: RangeInclusive<u8> = 11..=13;
/// Bytes of the description of a sector (`boot_sector_t`, boot/bootutil/src/bootutil_priv.h).
const SECTOR_BYTES: u32 = 8;
/// Addresses of data in memory.
const DATA_ADDRS: core::ops::Range<u32> = 0x3fc0_0000..0x4090_0000;
/// Plausible lengths of a bootloader's zero data, in bytes.
const ZERO_DATA_BYTES: RangeInclusive<u32> = 0x800..=0x2_0000;
/// The zero data has less than this besides the arrays, in all builds seen without serial recovery
/// and RSA.
const LEFT_OVER_BYTES: u32 = 0x1000;

/// How many sectors that bootloader has room for.
pub(super) fn max_sectors(
    memory: &Memory<'_>,
    code: &Code,
    swap: Option<SwapKind>,
    trailer_magic_addr: u32,
) -> Option<Found<u32>> {
    let steps = if swap == Some(SwapKind::Offset) { 2 } else { 3 };
    let logged = logged(memory, code);
    let has_steps = |n: &u32| n.checked_mul(steps).is_some_and(|n| code.values.contains(&n));
    let pairs: BTreeSet<u32> =
        code.values.iter().copied().filter(|n| PLAUSIBLE.contains(n)).filter(has_steps).collect();
    let (arrays, zero_data) = if code.cpu == Cpu::Xtensa {
        (BTreeMap::new(), None)
    } else {
        (arrays(memory, code), zero_data_len_bytes(memory, code, trailer_magic_addr))
    };
    let array_count = if swap == Some(SwapKind::Scratch) { 3 } else { 2 };
    let arrays_len_bytes = |n: u32| n.saturating_mul(SECTOR_BYTES * array_count);
    // The text names the number; the others are sizes, and there are more of those.
    let candidates: BTreeSet<u32> = if logged.is_empty() {
        arrays.keys().chain(&pairs).copied().collect()
    } else {
        logged.keys().copied().collect()
    };
    let fits = |n: &u32| zero_data.is_none_or(|len| arrays_len_bytes(*n) <= len);
    let scored = candidates.into_iter().filter(fits).map(|n| {
        let array = arrays.get(&n).map_or(0, |array| 2 * array.weight);
        let log = if logged.contains_key(&n) { 3 } else { 0 };
        (array + u32::from(pairs.contains(&n)) + log, n)
    });
    let mut scored: Vec<(u32, u32)> = scored.collect();
    scored.sort_unstable_by(|a, b| b.cmp(a));
    let &[(score, n), ref rest @ ..] = scored.as_slice() else { return None };
    let fills = zero_data.is_some_and(|len| len - arrays_len_bytes(n) < LEFT_OVER_BYTES);
    let leads = rest.first().is_none_or(|(second, _)| score > *second || fills);
    if score < 2 || !leads {
        return None;
    }
    let in_log = logged.get(&n);
    let array = arrays.get(&n);
    let signs = [
        in_log.map(|_| "argument of the text that names it"),
        array.map(|_| "length of the sectors' arrays"),
        pairs.contains(&n).then_some("number of swap steps"),
        zero_data.map(|_| "room in zero data"),
    ];
    let signs: Vec<&str> = signs.into_iter().flatten().collect();
    let place: Option<Location> =
        in_log.or(array.map(|array| &array.at)).and_then(|at| memory.place(*at));
    let evidence = format!("code: {}", signs.join(", "));
    let is_sure = in_log.is_some() || array.is_some_and(|array| array.weight == 2) || fills;
    Some(Found { is_sure, ..Found::sure(n, place, evidence) })
}

/// Numbers that are loaded as arguments near the text that names the number, and where.
fn logged(memory: &Memory<'_>, code: &Code) -> BTreeMap<u32, u32> {
    let mut near: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for end in memory.find_all(LOG) {
        // The text begins before its end, after the zero that ends the previous one.
        let is_text = |addr: u32| memory.get(addr, 1).is_some_and(|byte| byte != [0]);
        let texts = (0..64).map_while(|back| end.checked_sub(back).filter(|addr| is_text(*addr)));
        let start = texts.last().unwrap_or(end);
        for text in code.constants.iter().filter(|c| (start..=end).contains(&c.value)) {
            for constant in code.near(text.at, 24) {
                if PLAUSIBLE.contains(&constant.value) && ARGUMENTS.contains(&constant.register) {
                    let distance = constant.at.abs_diff(text.at);
                    let entry = near.entry(constant.value).or_insert((distance, constant.at));
                    *entry = (*entry).min((distance, constant.at));
                }
            }
        }
    }
    near.into_iter().map(|(n, (_, at))| (n, at)).collect()
}

/// A number that shows where a sectors' array is addressed.
struct Array {
    /// 2 if a third array follows the second one, otherwise 1.
    weight: u32,
    at: u32,
}

fn arrays(memory: &Memory<'_>, code: &Code) -> BTreeMap<u32, Array> {
    let mut found: BTreeMap<u32, Array> = BTreeMap::new();
    // An address of data that is in no segment is in zero data.
    let is_zero_data = |addr: u32| DATA_ADDRS.contains(&addr) && !memory.contains(addr);
    for array in code.constants.iter().filter(|constant| is_zero_data(constant.value)) {
        let near: BTreeSet<u32> = code.near(array.at, 32).map(|c| c.value).collect();
        for len_bytes in near.iter().filter(|len| len.is_multiple_of(SECTOR_BYTES)) {
            let n = len_bytes / SECTOR_BYTES;
            if !PLAUSIBLE.contains(&n) || !code.values.contains(&n) {
                continue;
            }
            let weight = 1 + u32::from(near.contains(&(2 * len_bytes)));
            let entry = found.entry(n).or_insert(Array { weight, at: array.at });
            if weight > entry.weight {
                *entry = Array { weight, at: array.at };
            }
        }
    }
    found
}

/// Bytes of zero data, up to a page too many. The code that clears it loads its start and its end,
/// where data begins, next to each other.
fn zero_data_len_bytes(memory: &Memory<'_>, code: &Code, trailer_magic_addr: u32) -> Option<u32> {
    let holds = |&(addr, data): &(u32, &[u8])| {
        let offset = trailer_magic_addr.checked_sub(addr).map(usize::try_from);
        offset.and_then(Result::ok).is_some_and(|offset| offset < data.len())
    };
    let (data_addr, _) = memory.segments().find(holds)?;
    let len_bytes = |start: &Constant| {
        let len_bytes = data_addr.checked_sub(start.value)?;
        ZERO_DATA_BYTES.contains(&len_bytes).then_some(len_bytes)
    };
    let ends = code.constants.iter().filter(|constant| constant.value == data_addr);
    ends.filter_map(|end| code.near(end.at, 24).filter_map(len_bytes).max()).next()
}
