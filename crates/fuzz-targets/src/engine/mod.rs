//! Runs the engine with any contents in its journal and in the places of its artifacts: the
//! migration must still end with the right bytes.
//!
//! The input fills the journal's sector with cells, and the artifacts' places with sectors. Cells
//! are any bytes, or cells that earlier runs of the engine wrote, in any order, torn, with any
//! marks. Nothing here knows what they mean.

mod small_example;

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::NorMemory;

use small_example::{Attempt, CELL_BYTES, SmallExample};

/// Runs until the migration must have ended: the first one notices what is wrong in the journal.
const MAX_RUNS: u32 = 3;

/// Carries out a migration on a flash whose contents the input chooses.
pub fn engine_journal(input: &[u8]) {
    // An input that is too short is left out.
    let _ = try_journal(&mut Unstructured::new(input));
}

fn try_journal(input: &mut Unstructured<'_>) -> Result<()> {
    static EXAMPLES: [OnceLock<SmallExample>; 2] = [OnceLock::new(), OnceLock::new()];
    let is_known: bool = input.arbitrary()?;
    let example = EXAMPLES[usize::from(is_known)].get_or_init(|| SmallExample::new(is_known));
    let pieces: u8 = input.arbitrary()?;
    let mut flash = example.before.clone();
    for place in &example.places {
        for sector in place.chunks(SECTOR_BYTES) {
            let bytes = contents(input, example, sector)?;
            flash.load(sector.start(), &bytes);
        }
    }
    let mut cells = Vec::new();
    while !input.is_empty() && cells.len() < SECTOR_BYTES as usize {
        cells.extend(cell(input, &example.cells)?);
    }
    flash.load(example.journal.start(), &cells);
    let given = flash.clone();
    for run in 1..=MAX_RUNS {
        match example.run(&mut flash, usize::from(pieces) + 1) {
            Attempt::Done => return judge(example, &given, &flash),
            Attempt::Failed { given_up: true, .. } => {
                let last = example.last_attempt();
                let is_recorded = cells.chunks(CELL_BYTES).any(|cell| cell == last);
                assert!(is_recorded, "gave up in run {run}, but the journal records no attempts");
                return untouched(example, &given, &flash);
            }
            Attempt::Failed { why, .. } => assert!(run < MAX_RUNS, "{why}"),
        }
    }
    Ok(())
}

/// What a sector of an artifact's place may hold: old contents, nothing, the artifact, or a part of
/// it.
fn contents(
    input: &mut Unstructured<'_>,
    example: &SmallExample,
    sector: Region,
) -> Result<Vec<u8>> {
    let mut right = example.after.bytes(sector);
    match input.int_in_range(0..=4)? {
        0 => Ok(example.before.bytes(sector)),
        1 => Ok(vec![flash_region::ERASED; right.len()]),
        2 => Ok(right),
        3 => {
            let (at, bits): (u16, u8) = (input.arbitrary()?, input.arbitrary()?);
            let at = usize::from(at) % right.len();
            right[at] &= bits;
            Ok(right)
        }
        _ => {
            let from = usize::from(input.arbitrary::<u16>()?) % right.len();
            right[from..].fill(flash_region::ERASED);
            Ok(right)
        }
    }
}

/// A cell of the journal.
fn cell(input: &mut Unstructured<'_>, known: &[[u8; CELL_BYTES]]) -> Result<[u8; CELL_BYTES]> {
    match input.int_in_range(0..=4)? {
        0 => Ok([flash_region::ERASED; CELL_BYTES]),
        1 | 2 => input.choose(known).copied(),
        3 => {
            let count: u32 = input.int_in_range(0..=127)?;
            Ok((u128::MAX << count).to_le_bytes())
        }
        _ => input.arbitrary(),
    }
}

/// Checks that the artifacts are in their places, and that what must stay is unchanged.
fn judge(example: &SmallExample, given: &NorMemory, flash: &NorMemory) -> Result<()> {
    for file in &example.in_place {
        let found = flash.bytes(*file);
        assert!(found == example.after.bytes(*file), "what lies in {file} is not the artifact");
    }
    kept(given, flash, &example.kept);
    Ok(())
}

/// Checks that only the journal has changed.
fn untouched(example: &SmallExample, given: &NorMemory, flash: &NorMemory) -> Result<()> {
    let end = example.journal.end();
    kept(given, flash, &[Region::clamped(FlashAddr::ZERO, example.journal.start().get())]);
    kept(given, flash, &[Region::new(end, example.flash_end()).expect("the journal is in flash")]);
    Ok(())
}

fn kept(given: &NorMemory, flash: &NorMemory, regions: &[Region]) {
    for region in regions {
        assert!(given.bytes(*region) == flash.bytes(*region), "{region} changed");
    }
}
