//! A real MCUboot and a real application as the target: on through MCUboot's swap, up to the
//! application's banner.
//!
//! ```text
//!   mask ROM -> ESP-IDF bootloader -> migrator -> reset -> MCUboot -> swap -> application: banner
//!                                                 '-- power cuts ------'
//! ```
//!
//! Environment variables name both files. They are built for the example's map: slots of 1 MiB at
//! 0x10000 and 0x110000, swap using scratch, 0x40000 bytes at 0x210000.

use std::env;
use std::fs;
use std::path::Path;

use bootswap_migration::content::classify;
use bootswap_plan::{Content, Role};
use esp_idf_format::Chip;
use flash_region::{Region, SECTOR_BYTES};

use crate::device::{EmulatedMigration, Migrated, bytes, text_of};
use crate::emulator::{self, Console, Ended, Power};
use crate::{CUTS, MANY_CUTS, difference, from};

/// Names the file of the target bootloader.
pub const BOOTLOADER: &str = "BOOTSWAP_TARGET_BOOTLOADER";
/// Names the file of the target application.
pub const APP: &str = "BOOTSWAP_TARGET_APP";
/// Holds what the application prints when it runs.
const BANNER: &str = "BOOTSWAP_TARGET_BANNER";
/// The last line of Espressif's port of MCUboot before it jumps to the application. Without a given
/// banner, any line after it is one.
pub const JUMP: &str = "] start=0x";

/// A device and the target that was given.
struct Target {
    emulated: EmulatedMigration,
    banner: Option<String>,
}

/// The variable for a chip: those of ESP32 end in its name.
fn variable(chip: Chip, name: &str) -> String {
    if chip == Chip::Esp32 { format!("{name}_ESP32") } else { name.to_owned() }
}

/// What the application prints, where it was given.
pub fn banner(chip: Chip) -> Option<String> {
    env::var_os(variable(chip, BANNER)).map(|text| text.into_string().unwrap())
}

/// The file that a variable names.
pub fn given(chip: Chip, name: &str) -> Vec<u8> {
    let name = &variable(chip, name);
    let path = env::var_os(name).unwrap_or_else(|| {
        panic!(
            "{name} does not name a file; run `cargo xtask emulate`, which leaves these tests out \
             where there is none"
        )
    });
    fs::read(&path).unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()))
}

impl Target {
    /// The target that was given, for a device whose migrator runs in the partition `label`.
    fn given(chip: Chip, label: &'static str) -> Self {
        let emulated = EmulatedMigration::download(chip, |migration| {
            from(label)(migration);
            let map = migration.mcuboot.clone();
            for (role, name) in [(Role::Bootloader, BOOTLOADER), (Role::Application, APP)] {
                let bytes = given(chip, name);
                let artifact = migration.artifacts.iter_mut().find(|a| a.role == role).unwrap();
                artifact.content = Some(classify(&bytes, role, map.as_ref()).unwrap());
                artifact.bytes = Some(bytes);
            }
        });
        let banner = banner(chip);
        Self { emulated, banner }
    }

    /// Migrates a device, up to the reset into the target bootloader.
    fn migrate(&self, device: &Path) -> Migrated {
        let migrated = self.emulated.migrate(device, &[]);
        self.emulated.check(&migrated, &self.emulated.simulate());
        migrated
    }

    /// Starts a migrated device and waits for the banner. The model of MCUboot that the simulator
    /// uses has to leave the same flash, byte for byte.
    fn start(&self, device: &Path) -> Console {
        let modelled = self.emulated.simulate_from(&fs::read(device).unwrap());
        let power = self.banner.as_deref().map_or(Power::UntilPast(JUMP), Power::UntilSeen);
        let console = emulator::run(self.emulated.chip(), device, self.emulated.has_network, power);
        assert_eq!(console.ended, Ended::Seen, "no banner:\n{}", console.text());
        let flash = fs::read(device).unwrap();
        if let Some(differs) = difference(&flash, &modelled.after.to_bytes()) {
            panic!("{differs}\n{}", console.text());
        }
        console
    }

    /// The application in whole sectors, as in a slot that was erased before.
    fn app(&self) -> &[u8] {
        let artifact = self.emulated.migration.artifact(Role::Application).unwrap();
        let Some(Content::Mcuboot { image_len_bytes, .. }) = artifact.content else {
            panic!("{APP} does not name an MCUboot image");
        };
        let len_bytes = image_len_bytes.next_multiple_of(SECTOR_BYTES) as usize;
        &self.emulated.file(Role::Application)[..len_bytes]
    }

    /// Checks that the application is in the primary slot, and that `old`, which was there before,
    /// is in the secondary slot, byte for byte.
    fn check_slots(&self, old: &[u8], flash: &[u8]) {
        let app = self.app();
        let map = self.emulated.migration.mcuboot.as_ref().unwrap();
        let slot = |slot| &bytes(flash, slot)[..app.len()];
        assert!(slot(map.primary) == app, "the application is not in the primary slot");
        let old = &old[..app.len()];
        assert!(slot(map.secondary) == old, "the old contents are not in the secondary slot");
    }

    fn primary(&self) -> Region {
        self.emulated.migration.mcuboot.as_ref().unwrap().primary
    }
}

/// Migrates, and goes on up to the banner.
fn up_to_the_banner(chip: Chip, label: &'static str) {
    let target = Target::given(chip, label);
    let device = target.emulated.device();
    let migrated = target.migrate(&device);
    let console = target.start(&device);
    println!("{}", text_of(&[console]));
    let flash = fs::read(&device).unwrap();
    let primary = target.primary();
    let old = bytes(&migrated.flash, primary);
    if old.starts_with(target.app()) {
        // A migrator that runs elsewhere may put the application there itself: no swap.
        assert!(difference(&flash, &migrated.flash).is_none(), "MCUboot wrote");
        return;
    }
    target.check_slots(old, &flash);
    let scenario = &target.emulated.scenario;
    if scenario.running.region == primary {
        // It was the migrator that MCUboot moved, unchanged since the OTA update.
        target.check_slots(&scenario.flash.bytes(primary), &flash);
    }
}

fn emulated_from_factory(chip: Chip) {
    up_to_the_banner(chip, "factory");
}

fn emulated_from_ota_0(chip: Chip) {
    up_to_the_banner(chip, "ota_0");
}

fn emulated_from_ota_1(chip: Chip) {
    up_to_the_banner(chip, "ota_1");
}

/// Cuts power at many points spread over the first start of MCUboot, and each time once more in the
/// next start.
fn cut_often(chip: Chip, cuts: u32) {
    let target = Target::given(chip, "factory");
    let device = target.emulated.device();
    let migrated = target.migrate(&device);
    let took = target.start(&device).took;
    let swapped = fs::read(&device).unwrap();
    let old = bytes(&migrated.flash, target.primary());
    let (mut before, mut within, mut after) = (0, 0, 0);
    for index in 0..cuts {
        fs::write(&device, &migrated.flash).unwrap();
        let first = took * (2 * index + 1) / (2 * cuts);
        // The second one somewhere else each time.
        let second = took * ((index * 7 + 3) % cuts) / cuts;
        for cut in [first, second] {
            let console = emulator::run(chip, &device, false, Power::CutAfter(cut));
            assert_eq!(console.ended, Ended::Killed, "it reset:\n{}", console.text());
            match fs::read(&device).unwrap() {
                flash if flash == migrated.flash => before += 1,
                flash if flash == swapped => after += 1,
                _ => within += 1,
            }
        }
        target.start(&device);
        target.check_slots(old, &fs::read(&device).unwrap());
    }
    println!(
        "{cuts} times power was cut twice: {before} cuts before MCUboot wrote anything, \
         {within} within its swap, {after} after it"
    );
    assert!(within > 0, "no cut came while MCUboot swapped");
}

fn emulated_power_cuts(chip: Chip) {
    cut_often(chip, CUTS);
}

fn emulated_many_power_cuts(chip: Chip) {
    cut_often(chip, MANY_CUTS);
}

on_each_chip! {
    emulated_from_factory
    emulated_from_ota_0
    emulated_from_ota_1
    emulated_power_cuts
    #[ignore = "takes minutes: hundreds of power cuts"]
    emulated_many_power_cuts
}
