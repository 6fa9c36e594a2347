//! What an owner can get wrong, on the chip: the console says what is wrong and what to do, the
//! attempts end, only steps that the plan reached write, and the old firmware starts again.
//!
//! The migrator is in ota_1, where an update put it; the old firmware is in factory, and ota_0 gets
//! the application. Waits pass fast.

use std::fs;
use std::path::Path;

use bootswap_config::{LogLevel, encode, find_section};
use bootswap_migration::OwnedMigration;
use bootswap_plan::Role;
use bootswap_sim::example;
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::device::{EmulatedMigration, text_of};
use crate::emulator::{Console, Ended, Network, Power, Time, watch};

/// Boots after which a device counts as caught in a loop.
const MAX_BOOTS: usize = 12;
/// Attempts without progress before the migrator gives up.
const MAX_ATTEMPTS: usize = 8;
const FACTORY: Region = Region::clamped(FlashAddr(0x1_0000), 0x10_0000);
const OTA_0: Region = Region::clamped(FlashAddr(0x11_0000), 0x10_0000);
const OTADATA: Region = Region::clamped(FlashAddr(0xd000), 0x2000);
/// What the migrator says when it goes back, and the real bootloader when it starts the old
/// firmware.
const GOES_BACK: &str =
    "going back to the firmware at 0x10000..0x110000, resetting; send out a migrator again";
const OLD_STARTS: &str = "boot: Loaded app from partition at offset 0x10000";
const RESTS: &str = "the next series of attempts begins in 60 minutes";

/// A mistake, and what must happen then.
struct Case {
    emulated: EmulatedMigration,
    network: Network,
    /// What the console has to show in the first boot, in this order.
    says: Vec<String>,
    /// How often it tries before it goes back.
    attempts: usize,
    /// What the plan's steps may have written, besides otadata and journal.
    reached: Vec<Region>,
    /// The server stops for good when the console shows this.
    gone_at: Option<&'static str>,
}

impl Case {
    fn new(emulated: EmulatedMigration, says: &[impl ToString]) -> Self {
        let (network, attempts) = (Network::Host, MAX_ATTEMPTS);
        let says = says.iter().map(ToString::to_string).collect();
        Self { emulated, network, says, attempts, reached: Vec::new(), gone_at: None }
    }

    fn in_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    fn trying(self, attempts: usize) -> Self {
        Self { attempts, ..self }
    }

    fn reaching(self, reached: Vec<Region>) -> Self {
        Self { reached, ..self }
    }

    /// One boot, up to the reset.
    fn boot(&mut self, flash: &Path) -> Console {
        let Self { emulated, network, gone_at, .. } = self;
        watch(emulated.chip(), flash, *network, Time::Fast, Power::UntilReset, &mut |line| {
            if gone_at.is_some_and(|text| line.contains(text)) {
                drop(emulated.server.take());
            }
        })
    }

    /// Boots until the migrator goes back, and checks everything.
    fn run(mut self) {
        let chip = self.emulated.chip();
        let flash = self.emulated.device();
        let before = fs::read(&flash).unwrap();
        let journal = self.journal();
        let mut consoles = Vec::new();
        while consoles.last().is_none_or(|console: &Console| console.when(GOES_BACK).is_none()) {
            assert!(consoles.len() < MAX_BOOTS, "boots again and again:\n{}", text_of(&consoles));
            let console = self.boot(&flash);
            assert_eq!(console.ended, Ended::Reset);
            consoles.push(console);
        }
        in_order(&consoles[0], &self.says);
        self.check_attempts(&consoles);
        let after = fs::read(&flash).unwrap();
        let may_change: Vec<_> =
            self.reached.iter().copied().chain([OTADATA]).chain(journal).collect();
        assert_unchanged(&before, &after, &may_change, &consoles);

        // The judge is the real bootloader.
        let old = watch(
            chip,
            &flash,
            Network::None,
            Time::Fast,
            Power::UntilSeen(OLD_STARTS),
            &mut |_| {},
        );
        assert_eq!(old.ended, Ended::Seen, "{}", old.text());
        print(&consoles);
    }

    /// Every attempt but the first shows its number, in a boot of its own; then the migrator gives
    /// up.
    fn check_attempts(&self, consoles: &[Console]) {
        let all = text_of(consoles);
        if self.attempts == 1 {
            assert_eq!(consoles.len(), 1, "{all}");
            return;
        }
        assert_eq!(consoles.len(), self.attempts + 1, "{all}");
        let (last, tries) = consoles.split_last().unwrap();
        for (console, attempt) in tries.iter().rev().zip((2..=MAX_ATTEMPTS).rev()) {
            in_order(
                console,
                &[&format!("attempt {attempt}"), "resetting in 1000 ms to try again"],
            );
        }
        in_order(last, &["given up after 8 attempts without progress"]);
    }

    /// Where attempts are counted.
    fn journal(&self) -> Option<Region> {
        self.emulated.simulate().plan.unwrap().journal
    }
}

fn from_ota_1(migration: &mut OwnedMigration) {
    migration.running = Some("ota_1".to_owned());
    migration.log_level = LogLevel::Debug;
}

/// A server with other files, or faults; the old firmware in factory.
fn emulated(chip: Chip, put: impl FnOnce(&mut Files), faults: &[&str]) -> EmulatedMigration {
    let mut emulated = EmulatedMigration::served(chip, from_ota_1, put, faults);
    let old = synthetic::app(chip, "old", "1", 0x2_0000, 4).unwrap();
    emulated
        .scenario
        .flash
        .load(FACTORY.start(), &[flash_region::ERASED; FACTORY.len_bytes() as usize]);
    emulated.scenario.flash.load(FACTORY.start(), &old);
    emulated
}

fn good_server(chip: Chip) -> EmulatedMigration {
    emulated(chip, |_| {}, &[])
}

/// A change of a section.
type Change = fn(&mut [u8]);
/// The files of a server: paths and bytes.
type Files = Vec<(String, Vec<u8>)>;

/// The server's application.
fn app(files: &mut Files) -> &mut Vec<u8> {
    &mut files.iter_mut().find(|(path, _)| path == "/app_upd.bin").unwrap().1
}

/// The server's bootloader.
fn bootloader(files: &mut Files) -> &mut Vec<u8> {
    &mut files.iter_mut().find(|(path, _)| path == "/mcuboot.bin").unwrap().1
}

/// Changes the section of the migrator's image, and corrects the image's checksums unless the flash
/// is `worn`.
fn with_section(
    mut emulated: EmulatedMigration,
    worn: bool,
    change: impl FnOnce(&mut [u8]),
) -> EmulatedMigration {
    let region = emulated.scenario.running.region;
    let mut bytes = emulated.scenario.flash.bytes(region);
    let section = find_section(&bytes).unwrap();
    change(&mut bytes[section]);
    if !worn {
        image::update_checksums(&mut bytes).unwrap();
        // The simulator knows the migrator by its image.
        emulated.scenario.migrator = image::verify(&bytes).unwrap();
    }
    emulated.scenario.flash.load(region.start(), &bytes);
    emulated
}

/// Checks that the console shows all of this, in this order; a line may have several of them.
fn in_order(console: &Console, says: &[impl AsRef<str>]) {
    let mut lines = console.lines.iter().peekable();
    for text in says.iter().map(AsRef::as_ref) {
        while lines.next_if(|(_, line)| !line.contains(text)).is_some() {}
        assert!(lines.peek().is_some(), "no {text:?} in\n{}", console.text());
    }
}

/// Checks that only these regions differ.
fn assert_unchanged(before: &[u8], after: &[u8], may_change: &[Region], consoles: &[Console]) {
    let sectors = before.chunks(SECTOR_BYTES as usize).zip(after.chunks(SECTOR_BYTES as usize));
    for (start, (before, after)) in (0..).step_by(SECTOR_BYTES as usize).zip(sectors) {
        let sector = Region::clamped(FlashAddr(start), SECTOR_BYTES);
        let may = may_change.iter().any(|region| region.contains_region(sector));
        assert!(may || before == after, "{sector} was written:\n{}", text_of(consoles));
    }
}

/// Prints what an owner would see.
fn print(consoles: &[Console]) {
    let last = consoles.last().filter(|_| consoles.len() > 1);
    for console in consoles.first().into_iter().chain(last) {
        let words = console.lines.iter().filter(|(_, line)| line.contains(" bootswap: "));
        words.for_each(|(_, line)| println!("    {line}"));
        println!("    --");
    }
    println!("    {} boots", consoles.len());
}

const NOT_FETCHED: &str = "app_upd could not be fetched: ";

/// For ESP32-C3 alone: without a card, the emulated ESP32 raises an exception where the card would
/// be.
mod no_card {
    use super::*;

    fn emulated_bad_input_no_card() {
        let says: &[_] = &[
            "the radio does not start: there is no card; start the emulator with one",
            "app_upd: no network could be joined; check names, passwords and range \
             of the networks",
            NOT_FETCHED,
        ];
        Case::new(good_server(Chip::Esp32c3), says).in_network(Network::None).run();
    }

    on_esp32c3! {
        emulated_bad_input_no_card
    }
}

fn emulated_bad_input_no_dhcp(chip: Chip) {
    let says: &[_] = &[
        "no address by DHCP within 20 s; check that the network has a DHCP server",
        "app_upd: no network could be joined; check names, passwords and range \
         of the networks",
        NOT_FETCHED,
    ];
    Case::new(good_server(chip), says).in_network(Network::Silent).run();
}

fn emulated_bad_input_no_server(chip: Chip) {
    let mut emulated = good_server(chip);
    drop(emulated.server.take());
    let says: &[_] = &[
        "app_upd: no connection to the server; check that it runs and can be reached; trying again",
        NOT_FETCHED,
    ];
    Case::new(emulated, says).run();
}

/// What was received before counts as progress, so there is one more attempt.
fn emulated_bad_input_server_goes_away(chip: Chip) {
    const BROKE: &str = "app_upd: the connection broke before the end";
    let emulated = emulated(chip, |_| {}, &["/app_upd.bin:truncate=40000"]);
    let says: &[_] =
        &[BROKE, "app_upd: no connection to the server; check that it runs", NOT_FETCHED];
    let case = Case::new(emulated, says).trying(MAX_ATTEMPTS + 1).reaching(vec![OTA_0]);
    Case { gone_at: Some(BROKE), ..case }.run();
}

fn emulated_bad_input_404(chip: Chip) {
    let says: &[_] =
        &["app_upd: the server answered with status 404; check path and server", NOT_FETCHED];
    Case::new(emulated(chip, |_| {}, &["status=404"]), says).run();
}

/// Only the image's digest shows it.
fn emulated_bad_input_damaged_image(chip: Chip) {
    let emulated = emulated(chip, |files| app(files)[0x8000] ^= 1, &[]);
    let says: &[_] = &[
        "starting it again",
        "put the file that was packed back on the server, or pack again",
        "app_upd is not usable: ",
    ];
    Case::new(emulated, says).trying(MAX_ATTEMPTS + 1).reaching(vec![OTA_0]).run();
}

/// Nothing is erased for a file that is not an image.
fn emulated_bad_input_no_mcuboot_image(chip: Chip) {
    let emulated = emulated(chip, |files| app(files).fill(0x55), &[]);
    let says: &[_] = &["starting it again", "app_upd is not usable: "];
    Case::new(emulated, says).run();
}

/// The application is fetched before.
fn emulated_bad_input_bootloader_of_another_chip(chip: Chip) {
    let other = example(Chip::Esp32s3).unwrap();
    let other = other.artifact(Role::Bootloader).unwrap().bytes.clone().unwrap();
    let emulated = emulated(chip, |files| *bootloader(files) = other, &[]);
    let differs = format!("the image is for esp32s3; this chip is {chip}");
    let says = [
        format!("mcuboot: {differs}; starting it again"),
        format!("mcuboot is not usable: {differs}"),
    ];
    Case::new(emulated, &says).trying(MAX_ATTEMPTS + 1).reaching(vec![OTA_0]).run();
}

/// The mask ROM would start it, although it was built for later revisions of the chip.
fn emulated_bad_input_bootloader_for_later_revisions(chip: Chip) {
    /// Offset and value of the least revision in an image's header: major * 100 + minor.
    const LEAST_REVISION: (usize, u16) = (15, 9900);
    let change = |files: &mut Files| {
        let bootloader = bootloader(files);
        let (at, revision) = LEAST_REVISION;
        bootloader[at..at + 2].copy_from_slice(&revision.to_le_bytes());
        image::update_checksums(bootloader).unwrap();
    };
    let says = [
        "mcuboot: the bootloader is for revisions v99.0 to any of the chip, but this one is v",
        "mcuboot is not usable: the bootloader is for revisions v99.0",
    ];
    let case = Case::new(emulated(chip, change, &[]), &says);
    case.trying(MAX_ATTEMPTS + 1).reaching(vec![OTA_0]).run();
}

/// A bootloader that would start, but is not the one that was packed. It is verified in staging.
fn emulated_bad_input_another_bootloader(chip: Chip) {
    let change = |files: &mut Files| {
        let bootloader = bootloader(files);
        bootloader[0x1000] ^= 1;
        image::update_checksums(bootloader).unwrap();
    };
    let says: &[_] = &[
        "mcuboot: the file's SHA-256 begins with ",
        "starting it again",
        "put the file that was packed back on the server, or pack again",
        "mcuboot is not usable: the file's SHA-256 begins with ",
    ];
    // Unclaimed flash; one erase of 32 KiB takes a sector more than the file needs.
    let waits = Region::clamped(FlashAddr(0x31_0000), 0x8000);
    Case::new(emulated(chip, change, &[]), says)
        .trying(MAX_ATTEMPTS + 1)
        .reaching(vec![OTA_0, waits])
        .run();
}

/// Another attempt would read the same configuration, so there is only one.
fn emulated_bad_input_configuration(chip: Chip) {
    let cases: [(Change, &[&str]); 4] = [
        (
            |section| section[200] ^= 1,
            &[
                "the configuration is damaged: CRC-32 at offset 28",
                "pack the migrator again from a fresh",
            ],
        ),
        (
            |section| {
                section[16] = 2;
                let crc = crc32(&section[..32]);
                section[32..36].copy_from_slice(&crc.to_le_bytes());
            },
            &["the configuration is of version 2.0", "firmware image of the same release"],
        ),
        (
            |section| section.copy_from_slice(bootswap_config::Section::empty().bytes()),
            &["the configuration is empty, the image is as it was built; run `bootswap pack`"],
        ),
        (
            |section| {
                let mut migration = example(Chip::Esp32c6).unwrap();
                migration.network.old_credentials = true;
                migration.with_config(|config| encode(config, section)).unwrap().unwrap();
            },
            &["refused (wrong-chip): "],
        ),
    ];
    for (change, says) in cases {
        Case::new(with_section(good_server(chip), false, change), says).trying(1).run();
    }
}

/// The bootloader notices a bad bit in flash, and starts the old firmware by itself.
fn emulated_bad_input_worn_image(chip: Chip) {
    let emulated = with_section(good_server(chip), true, |section| section[200] ^= 1);
    let flash = emulated.device();
    let before = fs::read(&flash).unwrap();
    let console =
        watch(chip, &flash, Network::None, Time::Fast, Power::UntilSeen(OLD_STARTS), &mut |_| {});
    assert_eq!(console.ended, Ended::Seen);
    in_order(&console, &["E (", "esp_image: ", OLD_STARTS]);
    assert!(fs::read(&flash).unwrap() == before, "{}", console.text());
}

/// Without a firmware to go back to, the migrator does not reset in a loop: it shows what is wrong,
/// waits longer each time, and then for an hour.
fn emulated_bad_input_without_a_way_back(chip: Chip) {
    let mut emulated = EmulatedMigration::download(chip, |migration| {
        migration.running = Some("factory".to_owned())
    });
    emulated = with_section(emulated, false, |section| section[200] ^= 1);
    let flash = emulated.device();
    let before = fs::read(&flash).unwrap();
    let console =
        watch(chip, &flash, Network::None, Time::Fast, Power::UntilSeen(RESTS), &mut |_| {});
    assert_eq!(console.ended, Ended::Seen, "{}", console.text());
    let mut says = Vec::new();
    for attempt in 1..=3 {
        says.push("the configuration is damaged: ".to_owned());
        says.push("there is no firmware to go back to".to_owned());
        says.push(format!(
            "attempt {attempt} of 3 failed; the device needs another image, by serial"
        ));
    }
    says.push(RESTS.to_owned());
    in_order(&console, &says);
    assert!(fs::read(&flash).unwrap() == before, "{}", console.text());
    print(&[console]);
}

/// CRC-32 as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        (0..8).for_each(|_| crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 });
    }
    !crc
}

on_each_chip! {
    emulated_bad_input_no_dhcp
    emulated_bad_input_no_server
    emulated_bad_input_server_goes_away
    emulated_bad_input_404
    emulated_bad_input_damaged_image
    emulated_bad_input_no_mcuboot_image
    emulated_bad_input_bootloader_of_another_chip
    emulated_bad_input_bootloader_for_later_revisions
    emulated_bad_input_another_bootloader
    emulated_bad_input_configuration
    emulated_bad_input_worn_image
    emulated_bad_input_without_a_way_back
}
