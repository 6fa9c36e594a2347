//! A device whose flash is a file: the example's, with the real bootloader and the real migrator.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bootswap_migration::pack::{Firmware, choose_sources, pack};
use bootswap_migration::{OwnedMigration, SentImage};
use bootswap_plan::Role;
use bootswap_serve::{AccessLog, Files, Server, ServerConfig};
use bootswap_sim::Until;
use bootswap_sim::Unwatched;
use bootswap_sim::example;
use bootswap_sim::kept;
use bootswap_sim::{OriginServer, Run, RunOutcome, Scenario, Settings, run};
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region};
use nor_sim::NorMemory;
use tempfile::TempDir;

use crate::emulator::{self, Console, Ended, Network, Power, Time};

/// Environment variable with the directory of the images that `cargo xtask firmware` makes.
pub const FIRMWARE: &str = "BOOTSWAP_FIRMWARE";
/// Environment variable with the bytes of stack that a migration may use.
const STACK: &str = "BOOTSWAP_STACK_BYTES";
/// The host's address in the emulator's network.
const HOST: &str = "10.0.2.2";
/// Resets after which a device counts as caught in a loop.
const MAX_RESETS: u32 = 12;

/// A migration for the emulator: server, migration, and a device before it.
pub struct EmulatedMigration {
    /// The migration as it was packed.
    pub migration: OwnedMigration,
    /// The device, with the packed migrator in its partition.
    pub scenario: Scenario,
    /// Whether the device has a network.
    pub has_network: bool,
    directory: TempDir,
    /// The server; dropping it stops it.
    pub server: Option<Server>,
    /// When it got each request.
    pub asked: Asked,
}

/// When a server got requests.
pub type Asked = Arc<Mutex<Vec<Instant>>>;

/// What a migration on the emulated chip leaves.
pub struct Migrated {
    /// Flash at the end.
    pub flash: Vec<u8>,
    /// The console of every boot.
    pub consoles: Vec<Console>,
    /// Whether power was cut while the bootloader was neither the old one nor the new one.
    pub is_lost: bool,
}

impl EmulatedMigration {
    /// The example, its artifacts fetched from a real server.
    pub fn download(chip: Chip, change: impl FnOnce(&mut OwnedMigration)) -> Self {
        Self::served(chip, change, |_| {}, &[])
    }

    /// The same with a server that has other files, or faults.
    pub fn served(
        chip: Chip,
        change: impl FnOnce(&mut OwnedMigration),
        put: impl FnOnce(&mut Vec<(String, Vec<u8>)>),
        faults: &[&str],
    ) -> Self {
        let mut migration = example(chip).unwrap();
        change(&mut migration);
        let mut files: Vec<_> = migration
            .artifacts
            .iter()
            .map(|a| (format!("/{}.bin", a.name), a.bytes.clone().unwrap()))
            .collect();
        put(&mut files);
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let asked = Asked::default();
        let times = Arc::clone(&asked);
        let log: AccessLog = Box::new(move |_| times.lock().unwrap().push(Instant::now()));
        let config = ServerConfig {
            faults,
            log: Some(log),
            ..ServerConfig::on_loopback(Files::memory(files))
        };
        let server = Server::start(config).unwrap();
        let port = server.addr().port();
        for artifact in &mut migration.artifacts {
            artifact.url = Some(format!("http://{HOST}:{port}/{}.bin", artifact.name));
        }
        migration.network.old_credentials = true;
        let emulated = Self::new(migration, false, "-openeth", Some(server));
        Self { asked, ..emulated }
    }

    /// The example with the firmware for real chips, which has their radio; the emulators have
    /// none.
    pub fn with_radio(chip: Chip, change: impl FnOnce(&mut OwnedMigration)) -> Self {
        let mut migration = example(chip).unwrap();
        change(&mut migration);
        migration.network.old_credentials = true;
        Self::new(migration, false, "", None)
    }

    /// The example with its artifacts in the migrator's own image, and no network.
    pub fn embedded(chip: Chip, change: impl FnOnce(&mut OwnedMigration)) -> Self {
        let mut migration = example(chip).unwrap();
        change(&mut migration);
        Self::new(migration, true, "-embedded", None)
    }

    fn new(mut migration: OwnedMigration, embed: bool, kind: &str, server: Option<Server>) -> Self {
        let chip = migration.chip;
        choose_sources(&mut migration, Some(chip), embed).unwrap();
        let directory = env::var_os(FIRMWARE).unwrap_or_else(|| {
            panic!("{FIRMWARE} does not name the firmware's directory; run `cargo xtask emulate`")
        });
        let path = PathBuf::from(directory).join(format!("bootswap-{chip}{kind}.bin"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let firmware = Firmware::new(bytes, chip).unwrap();
        let migrator = pack(&migration, firmware).unwrap().image;
        let sent = SentImage::packed(chip, &migrator).unwrap();
        let scenario = Scenario::synthetic_with(&migration, &sent).unwrap();
        let directory = TempDir::new().unwrap();
        Self {
            migration,
            scenario,
            has_network: server.is_some(),
            directory,
            server,
            asked: Asked::default(),
        }
    }

    /// The chip.
    pub fn chip(&self) -> Chip {
        self.migration.chip
    }

    /// The bytes of the artifact for `role`.
    pub fn file(&self, role: Role) -> &[u8] {
        self.migration.artifact(role).unwrap().bytes.as_deref().unwrap()
    }

    /// A new device: its flash file.
    pub fn device(&self) -> PathBuf {
        let path = self.directory.path().join("flash.bin");
        fs::write(&path, self.scenario.flash.to_bytes()).unwrap();
        path
    }

    fn bootloader(&self) -> Region {
        let len_bytes = u32::try_from(self.file(Role::Bootloader).len()).unwrap();
        Region::clamped(self.chip().bootloader_addr(), len_bytes)
    }

    /// Whether the target bootloader is in place.
    pub fn is_migrated(&self, flash: &[u8]) -> bool {
        bytes(flash, self.bootloader()) == self.file(Role::Bootloader)
    }

    /// Migrates a device from power on to the reset into the target bootloader. Power is cut after
    /// each of `cuts` in turn; then it stays on.
    pub fn migrate(&self, path: &Path, cuts: &[Duration]) -> Migrated {
        self.migrate_in(path, Time::Counted, cuts)
    }

    /// The same with another clock of the chip.
    pub fn migrate_in(&self, path: &Path, time: Time, cuts: &[Duration]) -> Migrated {
        let mut consoles = Vec::new();
        let mut cuts = cuts.iter();
        let mut resets = 0;
        loop {
            let cut = cuts.next();
            let power = cut.map_or(Power::UntilReset, |after| Power::CutAfter(*after));
            let network = if self.has_network { Network::Host } else { Network::None };
            let console = emulator::watch(self.chip(), path, network, time, power, &mut |_| {});
            let is_reset = console.ended == Ended::Reset;
            consoles.push(console);
            let flash = fs::read(path).unwrap();
            if self.is_migrated(&flash) && is_reset {
                return Migrated { flash, consoles, is_lost: false };
            }
            let area = self.bootloader();
            let old = self.scenario.flash.bytes(area);
            if !self.is_migrated(&flash) && bytes(&flash, area) != old {
                assert!(!is_reset, "reset with half a bootloader:\n{}", text_of(&consoles));
                return Migrated { flash, consoles, is_lost: true };
            }
            if self.is_migrated(&flash) {
                // Cut after the last write and before the reset: the next power on starts the
                // target.
                return Migrated { flash, consoles, is_lost: false };
            }
            resets += u32::from(is_reset);
            assert!(resets < MAX_RESETS, "resets again and again:\n{}", text_of(&consoles));
        }
    }

    /// The same migration on the simulated device.
    pub fn simulate(&self) -> Run {
        let server = OriginServer::open(&self.migration, Vec::new(), None).unwrap();
        let observer = RefCell::new(Unwatched);
        let run = run(&self.scenario, &server, Settings::new(Until::Reboot), &observer);
        assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
        run
    }

    /// Checks what has to hold of flash after every migration: target in place, the owner's data as
    /// they were, and a device that goes on into the target application, by the simulator's judge.
    /// What the `simulated` migration changed on purpose may be changed.
    pub fn check(&self, migrated: &Migrated, simulated: &Run) {
        let flash = &migrated.flash;
        assert!(self.is_migrated(flash), "{}", text_of(&migrated.consoles));
        if self.has_network {
            check_stack(&migrated.consoles);
        }
        for (label, region) in kept(&self.migration, &self.scenario) {
            let before = self.scenario.flash.bytes(region);
            let then = simulated.at_reset.as_ref().unwrap().bytes(region);
            // Otadata may select the running slot again, in another way than the simulator.
            if then == before && label != "otadata" {
                assert!(bytes(flash, region) == before, "{label} changed");
            }
        }
        self.simulate_from(flash);
    }

    /// Boots the simulated device from a migrated one's `flash`, up to the running target.
    pub fn simulate_from(&self, flash: &[u8]) -> Run {
        let mut scenario = self.scenario.clone();
        scenario.flash = NorMemory::from_bytes(flash);
        let server = OriginServer::open(&self.migration, Vec::new(), None).unwrap();
        let observer = RefCell::new(Unwatched);
        let run = run(&scenario, &server, Settings::new(Until::Boot), &observer);
        assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
        run
    }
}

/// Checks the line with which the firmware for emulators ends, where there is one: no migration
/// uses more of the stack than every firmware has to leave.
fn check_stack(consoles: &[Console]) {
    let budget: u64 =
        env::var(STACK).ok().and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| {
            panic!("{STACK} does not say how many bytes; run `cargo xtask emulate`")
        });
    let numbers = consoles.iter().flat_map(|console| &console.lines).filter_map(|(_, line)| {
        line.split_once("stack: ")?.1.split_once(" of ")?.0.parse::<u64>().ok()
    });
    for used in numbers {
        figure("stack used", format_args!("{used} bytes"));
        assert!(used <= budget, "{used} bytes of the stack, more than {budget}");
    }
}

/// A figure for the table at the end of `cargo xtask emulate`.
pub fn figure(name: &str, value: impl std::fmt::Display) {
    println!("\nfigure: {name}: {value}");
}

/// The consoles of several boots, for messages.
pub fn text_of(consoles: &[Console]) -> String {
    consoles.iter().fold(String::new(), |all, console| {
        all + &format!("--- {:?} after {:?}\n{}", console.ended, console.took, console.text())
    })
}

/// A part of a flash dump.
pub fn bytes(flash: &[u8], region: Region) -> &[u8] {
    let at = |addr: FlashAddr| addr.get() as usize;
    &flash[at(region.start())..at(region.end())]
}
