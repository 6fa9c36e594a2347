//! The engine over whatever its journal says, and whatever lies where its artifacts go: the migration
//! ends all the same, and with the right bytes.
//!
//! The input fills the journal's sector with cells and the artifacts' places with sectors. Cells are
//! either any bytes or true ones, of another time: those that earlier runs of the engine wrote, in any
//! order, torn, marked up to anywhere. Nothing here knows what they mean.

mod lab;

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::NorMemory;

use lab::{CELL_BYTES, Came, Lab};

/// Runs until the migration has to have ended: what a journal leads astray is found out in the first.
const MAX_RUNS: u32 = 3;

/// Carries out a migration from a flash that the input makes up.
pub fn engine_journal(input: &[u8]) {
    // Too short an input is no input.
    let _ = try_journal(&mut Unstructured::new(input));
}

fn try_journal(input: &mut Unstructured<'_>) -> Result<()> {
    static LABS: [OnceLock<Lab>; 2] = [OnceLock::new(), OnceLock::new()];
    let is_known: bool = input.arbitrary()?;
    let lab = LABS[usize::from(is_known)].get_or_init(|| Lab::new(is_known));
    let pieces: u8 = input.arbitrary()?;
    let mut flash = lab.before.clone();
    for place in &lab.places {
        for sector in place.chunks(SECTOR_BYTES) {
            let bytes = contents(input, lab, sector)?;
            flash.load(sector.start(), &bytes);
        }
    }
    let mut cells = Vec::new();
    while !input.is_empty() && cells.len() < SECTOR_BYTES as usize {
        cells.extend(cell(input, &lab.cells)?);
    }
    flash.load(lab.journal.start(), &cells);
    let given = flash.clone();
    for run in 1..=MAX_RUNS {
        match lab.run(&mut flash, usize::from(pieces) + 1) {
            Came::ToItsEnd => return judge(lab, &given, &flash),
            Came::ToNothing { given_up: true, .. } => {
                let last = lab.last_attempt();
                let is_told = cells.chunks(CELL_BYTES).any(|cell| cell == last);
                assert!(is_told, "gave up in run {run}, though nothing says that it had tried");
                return untouched(lab, &given, &flash);
            }
            Came::ToNothing { why, .. } => assert!(run < MAX_RUNS, "{why}"),
        }
    }
    Ok(())
}

/// What may lie in a sector of an artifact's place: something old, nothing, what should, or some of it.
fn contents(input: &mut Unstructured<'_>, lab: &Lab, sector: Region) -> Result<Vec<u8>> {
    let mut right = lab.after.bytes(sector);
    match input.int_in_range(0..=4)? {
        0 => Ok(lab.before.bytes(sector)),
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

/// The artifacts are where they belong, and everything that is nobody's place is as it was.
fn judge(lab: &Lab, given: &NorMemory, flash: &NorMemory) -> Result<()> {
    for file in &lab.in_place {
        let found = flash.bytes(*file);
        assert!(found == lab.after.bytes(*file), "what lies in {file} is not the artifact");
    }
    kept(given, flash, &lab.kept);
    Ok(())
}

/// Nothing but the journal has changed.
fn untouched(lab: &Lab, given: &NorMemory, flash: &NorMemory) -> Result<()> {
    let end = lab.journal.end();
    kept(given, flash, &[Region::clamped(FlashAddr::ZERO, lab.journal.start().get())]);
    kept(given, flash, &[Region::new(end, lab.flash_end()).expect("the journal is in flash")]);
    Ok(())
}

fn kept(given: &NorMemory, flash: &NorMemory, regions: &[Region]) {
    for region in regions {
        assert!(given.bytes(*region) == flash.bytes(*region), "{region} changed");
    }
}
