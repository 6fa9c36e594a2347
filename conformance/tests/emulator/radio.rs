//! The firmware for real chips, up to where its radio starts. The emulators have no radio and
//! report no interrupt, so it hangs there for good, as a faulty radio would.

use std::fs;
use std::time::Duration;

use esp_idf_format::Chip;
use flash_region::{ERASED, SECTOR_BYTES};

use crate::device::{EmulatedMigration, bytes};
use crate::emulator::{Ended, Network, Power, Time, watch};

/// The last line before the radio.
const PLANNED: &str = "migration of 9 steps";
/// Longer than counting the attempt takes.
const SILENCE: Duration = Duration::from_secs(10);
/// Bytes of a record of the journal.
const RECORD_BYTES: usize = 16;

/// Everything that needs no radio comes before it: the first line, the plan, and the count of the
/// attempt in flash, without which a device whose radio hangs would try for ever. Nothing else of
/// the flash is written.
fn emulated_radio_that_hangs(chip: Chip) {
    let emulated = EmulatedMigration::with_radio(chip, |_| {});
    let flash = emulated.device();
    let before = fs::read(&flash).unwrap();
    let journal = emulated.simulate().plan.unwrap().journal.unwrap();
    for attempts in 1..=2 {
        let power = Power::UntilSilent(PLANNED, SILENCE);
        let console = watch(chip, &flash, Network::None, Time::Counted, power, &mut |_| {});
        assert_eq!(console.ended, Ended::Killed, "{}", console.text());
        let lines = || console.lines.iter().filter(|(_, line)| line.contains(" bootswap: "));
        let first = lines().next().map(|(_, line)| line.as_str()).unwrap_or_default();
        assert!(first.ends_with(&format!(" for {chip}")), "{}", console.text());
        let last = lines().next_back().map(|(_, line)| line.as_str()).unwrap_or_default();
        assert!(last.contains(PLANNED), "{}", console.text());

        let after = fs::read(&flash).unwrap();
        let programmed = bytes(&after, journal);
        let count = programmed.chunks(RECORD_BYTES).filter(|r| **r != [ERASED; RECORD_BYTES]);
        assert_eq!(count.count(), attempts, "{}", console.text());
        let at = journal.start().get() as usize;
        let end = at + SECTOR_BYTES as usize;
        assert!(before[..at] == after[..at] && before[end..] == after[end..], "it wrote elsewhere");
    }
}

on_each_chip! {
    emulated_radio_that_hangs
}
