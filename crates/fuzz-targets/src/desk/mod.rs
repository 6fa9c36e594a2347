//! Compares the desk's verdict on a migration and a dump with what happens on the device: what is
//! called safe must be safe.
//!
//! ```text
//!                  .--> migration.toml, files --> load --> plan: planned, or reasons     (desk)
//!   input: Device -|                                 '--> packed settings --.
//!          Wanted  '--> dump, board -----------------------------> migrator on a simulated device
//! ```
//!
//! The board knows how the target bootloader was really built, whatever the migration says of it:
//! the desk finds that out from the file. What the simulated device runs is the migration as it is
//! read from the migrator's own settings.
//!
//! - What is planned reaches the target, also with power lost three times on the way, and keeps the
//!   owner's data.
//! - What the planner refuses, the device refuses for the same reasons.
//! - What the desk refuses because of the files brings no device to the target, and bricks none.

mod app;
mod choose;
mod device;
mod map;
mod nvs;
mod oddity;
mod other;
mod real;
mod stale;
mod trial;
mod wanted;

use std::fs;

use bootswap_migration::facts::deliver;
use bootswap_migration::pack::choose_sources;
use bootswap_migration::plan::DevicePlans;
use bootswap_migration::{OwnedMigration, SentImage, load};
use device_sim::synthetic;
use miette::Diagnostic;

use choose::Choices;
use device::Device;
use wanted::Wanted;

pub use real::{RealDevice, verdict_on};

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum VerdictKind {
    /// The input makes no device, or none of its files.
    Nothing,
    /// The migration cannot be read.
    Unreadable,
    /// It cannot be packed.
    Unpackable,
    /// The migrator cannot be brought to the device.
    Undeliverable,
    /// The bootloader's file contradicts `[mcuboot]`.
    Contradicted,
    /// Refused by desk and device.
    Refused,
    /// Refused by the desk because of the files; on the device it fails.
    Spoilt,
    /// Planned, and the target ran.
    Planned,
}

/// Compares the verdicts of desk and device.
///
/// The input chooses the device, the migration and its files.
pub fn verdicts(input: &[u8]) {
    verdict(input);
}

/// Like [`verdicts`]; returns how it ended.
pub fn verdict(input: &[u8]) -> VerdictKind {
    let u = &mut Choices::new(input);
    let Ok(Some(mut device)) = Device::choose(u) else { return VerdictKind::Nothing };
    let Ok(Some(wanted)) = Wanted::choose(u, &device) else { return VerdictKind::Nothing };
    if let Some(truth) = &wanted.truth
        && stale::put(u, &mut device, truth).is_err()
    {
        return VerdictKind::Nothing;
    }
    let migrator_len_bytes = u.within(0x4000, 0xc000).unwrap_or(0x4000);
    let running = u.below(8).unwrap_or_default() as usize;

    if nvs::put(u, &mut device).is_err() {
        return VerdictKind::Nothing;
    }
    // Mostly the partition of the next update, else any.
    let apps: Vec<_> = device.partitions.iter().filter(|p| p.is_app()).collect();
    let named = running.checked_sub(4).and_then(|index| apps.get(index));
    let named = named.map(|partition| partition.label.to_string());
    let judged = judged(&device, &wanted, migrator_len_bytes, named.as_deref());
    judged.first().copied().unwrap_or(VerdictKind::Undeliverable)
}

/// The verdicts of desk and device on the migration of a device, whose migrator has so many bytes
/// and comes to the partition with that label: on that one, or on the first two that an update may
/// bring it to.
fn judged(
    device: &Device,
    wanted: &Wanted,
    migrator_len_bytes: u32,
    named: Option<&str>,
) -> Vec<VerdictKind> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("migration.toml");
    fs::write(&path, &wanted.text).expect("room for it");
    for (name, bytes) in &wanted.files {
        fs::write(dir.path().join(name), bytes).expect("room for it");
    }
    let migration = match load(&path) {
        Ok(migration) => migration,
        Err(error) => {
            assert!(!error.help().expect("it says what to do").to_string().is_empty());
            return vec![VerdictKind::Unreadable];
        }
    };
    let Some(migration) = to_be_packed(migration, wanted.embedded) else {
        return vec![VerdictKind::Unpackable];
    };
    let sent = match wanted.embedded {
        true => SentImage::assumed(&migration),
        false => {
            let image = synthetic::app(device.chip, "migrator", "2.0", migrator_len_bytes, 9);
            SentImage::packed(device.chip, &image.expect("a length that an app can have"))
        }
    };
    let Ok(sent) = sent else { return vec![VerdictKind::Unpackable] };
    let delivered = deliver(device.chip, &device.dump, None, named, &sent);
    let Ok(delivered) = delivered else { return vec![VerdictKind::Undeliverable] };
    let Some(plans) = DevicePlans::delivered(&migration, &delivered) else {
        return vec![VerdictKind::Undeliverable];
    };
    if !migration.against.is_empty() {
        assert!(plans.partitions.iter().all(|partition| !partition.reasons.is_empty()));
        return vec![VerdictKind::Contradicted];
    }
    let both = delivered.into_iter().zip(&plans.partitions).take(2);
    both.map(|(delivered, verdict)| trial::tried(&migration, wanted, device, delivered, verdict))
        .collect()
}

/// The migration as `bootswap pack` takes it.
fn to_be_packed(mut migration: OwnedMigration, embedded: bool) -> Option<OwnedMigration> {
    choose_sources(&mut migration, None, embedded).ok()?;
    Some(migration)
}
