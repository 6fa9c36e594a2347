//! What a plan relies on and nobody could look at: of the files, and of the board.
//!
//! ```text
//!                        with a dump                        without
//!   flash size           known                              assumed
//!   flash mode           known: refused if it is slower     assumed
//!   flash frequency      assumed, if it is slower there     assumed
//!   chip revision        assumed: it is in the eFuses       assumed
//!   header size          assumed, where the application's file does not show it
//! ```

use bootswap_plan::{CommitWay, DeviceFacts, PARTITION_TABLE, Role, SECURE_BOOT_DATA};
use esp_idf_format::image::{ChipRevision, EspImageHeader, FlashSettings, FlashSize};
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{self, check_entry, shows_header_size};

use super::dump::bytes_from;
use super::primary;
use crate::bootloader::Assumption;
use crate::owned::{OwnedMigration, OwnedStaging};

/// Key of the migration that decides about the settings of the board's flash.
const BOOTLOADER: &str = "bootloader.file";

/// All that the migration of this device relies on and that neither its files nor `dump`, where
/// there is one, show.
#[must_use]
pub(crate) fn assumptions(
    migration: &OwnedMigration,
    facts: &DeviceFacts<'_>,
    dump: Option<&[u8]>,
) -> Vec<Assumption> {
    let in_place = dump.map(|dump| bytes_from(dump, migration.chip.bootloader_addr()));
    let mut all = migration.assumed.clone();
    all.extend(primary::assumption(migration, facts));
    all.extend(dump.is_none().then(|| flash_size(migration, facts)));
    all.extend(of_the_board(migration, in_place));
    all
}

/// The same where there is neither a dump nor a partition table: nothing is known of the devices.
pub(crate) fn assumptions_alone(migration: &OwnedMigration) -> Vec<Assumption> {
    let mut all = migration.assumed.clone();
    all.extend(of_the_board(migration, None));
    all.extend(labels(migration));
    all
}

/// What the header of the target bootloader asks of the board, whose bootloader today begins with
/// `in_place`.
fn of_the_board(
    migration: &OwnedMigration,
    in_place: Option<&[u8]>,
) -> impl Iterator<Item = Assumption> {
    let header = |bytes: &[u8]| EspImageHeader::parse(bytes).ok();
    let target = migration.bootloader_file().and_then(header);
    let in_place = in_place.and_then(header);
    let settings = target.and_then(|target| match migration.commit {
        CommitWay::Replace => flash_settings(&target, in_place.as_ref()),
        // A device or a dump shows the header that remains.
        CommitWay::Hosted => in_place.is_none().then(|| header_that_stays(&target, migration)),
    });
    let revisions = target.and_then(|target| revisions(&target, migration));
    settings.into_iter().chain(revisions).chain(header_size(migration))
}

/// The size of the MCUboot header that the application was linked for, where its file does not show
/// it.
fn header_size(migration: &OwnedMigration) -> Option<Assumption> {
    migration.mcuboot.as_ref()?;
    let file = migration.artifact(Role::Application)?.bytes.as_deref()?;
    let header = ImageHeader::parse(file).ok()?;
    let chip = migration.chip;
    // What cannot start is refused.
    let starts = espressif::check(chip, file).is_ok() && check_entry(chip, file).is_ok();
    if !starts || shows_header_size(chip, file) {
        return None;
    }
    Some(Assumption {
        key: "app.file",
        value: Some(format!("linked for its header of {:#x} bytes", header.hdr_size)),
        message: "nothing in the file shows for which size of MCUboot header it was linked; if \
                  that is not what it was signed with (imgtool's --header-size), MCUboot accepts \
                  it and it never starts"
            .to_owned(),
    })
}

/// Labels that the migration names, and no table says whether there are such partitions.
fn labels(migration: &OwnedMigration) -> Vec<Assumption> {
    let staging = match &migration.staging {
        OwnedStaging::Label(label) => Some(("staging.label", label)),
        OwnedStaging::Auto | OwnedStaging::Memory => None,
    };
    let running = migration.running.as_ref().map(|label| ("running", label));
    let overwrite = migration.allow_overwrite.iter().map(|label| ("allow.overwrite", label));
    let named = staging.into_iter().chain(running).chain(overwrite);
    let named =
        named.filter(|(_, label)| ![PARTITION_TABLE, SECURE_BOOT_DATA].contains(&&***label));
    let assumed = named.map(|(key, label)| Assumption {
        key,
        value: Some(label.clone()),
        message: "without `partitions` nothing shows whether the devices have a partition with \
                  that label"
            .to_owned(),
    });
    assumed.collect()
}

fn flash_size(migration: &OwnedMigration, facts: &DeviceFacts<'_>) -> Assumption {
    let len_bytes = facts.flash().len_bytes();
    let value = FlashSize::from_bytes(len_bytes)
        .map_or_else(|| format!("{len_bytes:#x} bytes"), |size| size.to_string());
    let who = match migration.flash_len_bytes {
        Some(_) => "no dump shows that the devices have so much flash",
        None => "neither a dump nor the migration says how much flash the devices have",
    };
    Assumption {
        key: "flash_size",
        value: Some(value),
        message: format!(
            "{who}; one with less, or on ESP32 with less in the header of its bootloader, refuses \
             what does not fit"
        ),
    }
}

/// Whether the board's flash takes the settings in the header of the target bootloader.
fn flash_settings(
    target: &EspImageHeader,
    in_place: Option<&EspImageHeader>,
) -> Option<Assumption> {
    // Numbers that there are not are refused.
    let (mode, freq) = (target.flash_mode()?, target.flash_freq()?);
    let known = in_place.and_then(EspImageHeader::flash_freq);
    let (value, message) = match known {
        Some(known) if freq <= known => return None,
        Some(known) => (
            freq.to_string(),
            format!(
                "the bootloader in place reads the flash at {known}, and no dump shows whether it \
                 can be read faster; where it cannot, the new bootloader does not start"
            ),
        ),
        None => (
            format!("{mode}, {freq}"),
            "no dump shows how the board's flash is read today; a board whose bootloader uses \
             fewer data lines refuses the migration (flash-mode), and where the flash is too slow \
             for that frequency the new bootloader does not start"
                .to_owned(),
        ),
    };
    Some(Assumption { key: BOOTLOADER, value: Some(value), message })
}

/// The settings with which a target bootloader in a carrier reads the flash.
fn header_that_stays(target: &EspImageHeader, migration: &OwnedMigration) -> Assumption {
    Assumption {
        key: BOOTLOADER,
        value: Some(FlashSettings::of(target).on(migration.chip).to_string()),
        message: "no dump shows the header of the devices' bootloader, which stays and which \
                  MCUboot reads; a device where it says something else refuses the migration \
                  (flash-settings)"
            .to_owned(),
    }
}

/// The revisions of the chip that the target bootloader runs on, where that is not every one.
fn revisions(target: &EspImageHeader, migration: &OwnedMigration) -> Option<Assumption> {
    let runs_on = target.chip_revisions(migration.chip);
    if runs_on == (0..=u16::MAX) {
        return None;
    }
    let [min, max] = [*runs_on.start(), *runs_on.end()].map(ChipRevision);
    Some(Assumption {
        key: BOOTLOADER,
        value: Some(format!("for revisions {min} to {max} of the chip")),
        message: "the revision is in the eFuses, which no dump shows; a chip of another one \
                  refuses the migration"
            .to_owned(),
    })
}
