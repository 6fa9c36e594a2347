//! How long the commit window is, by flash chip: the table in the book's chapter, or the rows of
//! any chip.
//!
//! ```text
//! cargo run -p conformance --example commit_window
//! cargo run -p conformance --example commit_window -- BYTE...   words 8 to 11 of an SFDP table
//! ```
// An example is run by a person, who sees where it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bootswap_migration::{facts, plan};
use bootswap_plan::Cost;
use bootswap_sim::example;
use esp_idf_format::Chip;
use nor_sim::{DatasheetTiming, TypMax};

/// Sectors of a block of 32 KiB.
const SECTORS: u64 = 8;
/// Microseconds between two power cuts, in the last column.
const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

/// How long a flash chip's operations take.
struct FlashChip {
    name: String,
    erase_4k_us: TypMax,
    /// `None` for a chip without such an erase.
    erase_32k_us: Option<TypMax>,
    page_us: TypMax,
}

fn main() {
    let bytes: Vec<String> = std::env::args().skip(1).collect();
    if bytes.is_empty() {
        print!("{}", table());
        return;
    }
    let bytes: Vec<u8> = bytes.iter().map(|text| byte(text)).collect();
    let words = bytes.as_slice().try_into().unwrap_or_else(|_| {
        panic!("{} bytes; give the 16 bytes of the words 8 to 11", bytes.len())
    });
    match sfdp("this chip", words) {
        Some(chip) => print!("{}", table_of(&[chip])),
        None => panic!("this table has no times; use those of the chip's datasheet"),
    }
}

fn byte(text: &str) -> u8 {
    let digits = text.trim_start_matches("0x");
    u8::from_str_radix(digits, 16)
        .unwrap_or_else(|_| panic!("{text:?} is not a byte, such as 0x0c"))
}

/// The table of the chips whose times are documented.
pub fn table() -> String {
    let DatasheetTiming { chip, erase_4k_us, erase_32k_us, page_program_us, .. } =
        DatasheetTiming::W25Q32JV;
    let winbond = FlashChip {
        name: chip.to_owned(),
        erase_4k_us,
        erase_32k_us: Some(erase_32k_us),
        page_us: page_program_us,
    };
    // Zephyr, samples/drivers/jesd216/README.rst, "Sample Output".
    let mx25r8035f = [
        0x0c, 0x20, 0x0f, 0x52, 0x10, 0xd8, 0x00, 0xff, 0x23, 0x72, 0xf5, 0x00, 0x82, 0xed, 0x04,
        0xb7,
    ];
    let macronix = sfdp("MX25R8035F", mx25r8035f);
    table_of(&[winbond].into_iter().chain(macronix).collect::<Vec<_>>())
}

fn table_of(chips: &[FlashChip]) -> String {
    let mut table = "| flash chip | erased | typical (ms) | at most (ms) | lost of a million |\n\
                     | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for FlashChip { name, erase_4k_us, erase_32k_us, page_us } in chips {
        let blocks = erase_32k_us.map(|us| ("32 KiB at once", 1, us));
        for (erased, times, erase_us) in
            blocks.into_iter().chain([("by sectors", SECTORS, *erase_4k_us)])
        {
            let cost = window();
            assert_eq!(
                (cost.erase_32k, cost.erases()),
                (1, 1),
                "the example has another commit window"
            );
            let total = |erase_us: u64, page_us| times * erase_us + u64::from(cost.pages) * page_us;
            let (typ, max) = (total(erase_us.typ, page_us.typ), total(erase_us.max, page_us.max));
            let lost = typ as f64 * 1e6 / DAY_US as f64;
            table += &format!(
                "| {name} | {erased} | {:.1} | {:.0} | {lost:.1} |\n",
                typ as f64 / 1000.0,
                max as f64 / 1000.0
            );
        }
    }
    table
}

/// The operations of the example's commit window, as the planner counts them.
fn window() -> Cost {
    let migration = example(Chip::Esp32c3).expect("the example can be made");
    let found = facts::assumed(&migration).expect("it says all that is needed");
    let report = plan::report(&migration, &found, None);
    let commit = report.steps.iter().find(|step| step.action == "commit");
    let cost = commit.expect("the example is not refused").cost;
    Cost {
        erase_4k: cost.erase_4k,
        erase_32k: cost.erase_32k,
        erase_64k: cost.erase_64k,
        pages: cost.pages_programmed,
    }
}

/// Reads erase types and times out of the words 8 to 11 of a basic flash parameter table (JESD216B,
/// 6.4.11 to 6.4.14); `None` where the table is older and has no times, or no erase of 4 KiB.
fn sfdp(name: &str, words: [u8; 16]) -> Option<FlashChip> {
    /// log2 of the bytes of a sector and of a block.
    const SECTOR: u8 = 12;
    const BLOCK_32K: u8 = 15;
    let word =
        |at: usize| u32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
    let (erases, programs) = (word(8), word(12));
    if erases == u32::MAX || programs == u32::MAX {
        return None;
    }
    let scaled = |typ_us: u32, word: u32| {
        let typ = u64::from(typ_us);
        TypMax { typ, max: typ * 2 * (u64::from(word & 0xf) + 1) }
    };
    let erase = |size| {
        // Size and command of each of the four types, then their times: count, unit.
        let index = words[..8].chunks(2).position(|kind| kind[0] == size)?;
        let time = erases >> (4 + 7 * index);
        let unit_us = [1_000, 16_000, 128_000, 1_000_000][(time >> 5 & 3) as usize];
        Some(scaled(((time & 0x1f) + 1) * unit_us, erases))
    };
    let unit_us = if programs >> 13 & 1 == 0 { 8 } else { 64 };
    Some(FlashChip {
        name: name.to_owned(),
        erase_4k_us: erase(SECTOR)?,
        erase_32k_us: erase(BLOCK_32K),
        page_us: scaled(((programs >> 8 & 0x1f) + 1) * unit_us, programs),
    })
}
