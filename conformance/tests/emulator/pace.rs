//! How fast the firmware is. These are only figures; no test fails because of them.
//!
//! ```text
//!   asked for the application            asked for the bootloader                         reset
//!     |--------- transfer ----------|------|- transfer -|------------------------------------|
//!     '- first byte                last byte            '- last byte       verify, commit
//! ```
//!
//! A transfer begins with the request and ends with the line on the console that says that the last
//! byte is there; receiving, hashing and writing are part of it. The emulator's flash takes no time
//! to erase and program, so the datasheet's typical times of the operations are not measured; they
//! are added to the time that the firmware is allowed.

use std::time::Duration;

use esp_idf_format::Chip;
use nor_sim::DatasheetTiming;

use crate::device::{EmulatedMigration, Migrated, figure};
use crate::emulator::{Console, Time};

const LAST_WORDS: &str = "resetting into the new bootloader";
/// What the console shows when the last byte of each artifact is there.
const LAST_BYTES: [&str; 2] = ["app_upd: the last ", "mcuboot: 27376 bytes verified"];

/// The times of a migration.
struct Pace {
    elapsed: Duration,
    transfer: Duration,
}

/// By the host's clock.
fn on_host(emulated: &EmulatedMigration, migrated: &Migrated) -> Pace {
    let [console] = migrated.consoles.as_slice() else { panic!("one boot is enough") };
    let asked = emulated.asked.lock().unwrap().clone();
    let transfers = asked
        .iter()
        .zip(LAST_BYTES)
        .map(|(asked, words)| console.started + line(console, words).0 - *asked);
    let elapsed = console.started + console.took - asked[0];
    Pace { elapsed, transfer: transfers.sum() }
}

/// By the chip's.
fn on_chip(migrated: &Migrated) -> Pace {
    let [console] = migrated.consoles.as_slice() else { panic!("one boot is enough") };
    let fetching = |name| line(console, &format!("fetching {name}")).1;
    let starts = ["app_upd", "mcuboot"].map(fetching);
    let transfers =
        starts.iter().zip(LAST_BYTES).map(|(start, words)| line(console, words).1 - *start);
    Pace { elapsed: line(console, LAST_WORDS).1 - starts[0], transfer: transfers.sum() }
}

/// When the first line with these words came: since power on by the host, and by its own stamp.
fn line(console: &Console, words: &str) -> (Duration, Duration) {
    let found = console.lines.iter().find(|(_, line)| line.contains(words));
    let (when, line) = found.unwrap_or_else(|| panic!("no {words:?}:\n{}", console.text()));
    let stamp_ms = line.split_once('(').and_then(|(_, rest)| rest.split_once(')')?.0.parse().ok());
    (*when, Duration::from_millis(stamp_ms.unwrap_or_else(|| panic!("no time: {line}"))))
}

fn emulated_pace(chip: Chip) {
    let emulated = EmulatedMigration::download(chip, |migration| {
        migration.running = Some("factory".to_owned())
    });
    let run = emulated.simulate();
    let flash_us = run.migration.duration_us(&DatasheetTiming::W25Q32JV).typ;
    let flash = Duration::from_micros(flash_us);

    let migrated = emulated.migrate_in(&emulated.device(), Time::Host, &[]);
    emulated.check(&migrated, &run);
    let Pace { elapsed, transfer } = on_host(&emulated, &migrated);
    figure("bytes over the network", run.downloaded_bytes);
    figure("first byte to reset", ms(elapsed));
    figure("transfer", ms(transfer));
    figure("modelled flash time", ms(flash));
    figure("ratio", format_args!("{:.2}", ratio(elapsed, flash + transfer)));

    let migrated = emulated.migrate_in(&emulated.device(), Time::Counted, &[]);
    emulated.check(&migrated, &run);
    let Pace { elapsed, transfer } = on_chip(&migrated);
    let text = format!("{}, of it transfer {}", ms(elapsed), ms(transfer));
    figure("the same at 8 ns an instruction", text);
    let with_flash = ratio(elapsed + flash, flash + transfer);
    figure("ratio of that, the flash time added", format_args!("{with_flash:.2}"));
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn ratio(took: Duration, allowed: Duration) -> f64 {
    took.as_secs_f64() / allowed.as_secs_f64()
}

on_each_chip! {
    emulated_pace
}
