//! `bootswap demo`: the example, end to end, on a simulated device.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::CommitWay;
use bootswap_sim::example::{example_by, image_at, image_in, picture, toml, unsigned_app};
use bootswap_sim::summary::{C_COMPONENT, Summary};
use bootswap_sim::{Report, Run, Scenario, Until, kept};

use carrier_format::LoaderMemory;
use esp_idf_format::Chip;

use crate::args::DemoArgs;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::monitor::TerminalMonitor;
use crate::output::{self, Destination, Force};
use crate::simulation::{live, scenario_failure, verdict};

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] if the example cannot be set up, or its files cannot be written.
pub fn command(args: &DemoArgs) -> Result<Verdict, CommandError> {
    let chip = args.chip.unwrap_or(match args.commit {
        CommitWay::Replace => Chip::Esp32s3,
        CommitWay::Hosted => Chip::Esp32c3,
    });
    let no_loader = args.commit == CommitWay::Hosted && LoaderMemory::of(chip).is_none();
    let help = if no_loader { NO_LOADER } else { "report this as a bug" };
    let migration =
        example_by(chip, args.commit).map_err(|error| CommandError::input(error, help))?;
    // Its files are saved as an owner has them.
    let mut carried_out = migration.clone();
    if !chip.has_wifi() {
        carried_out.artifacts.iter_mut().for_each(OwnedArtifact::embed);
    }
    let scenario = Scenario::synthetic(&carried_out).map_err(scenario_failure)?;
    let files = args.out.as_deref().map(|dir| Files::new(dir, &migration, args.force));
    let files = files.transpose()?;
    let monitor = RefCell::new(TerminalMonitor::new());
    let run = live(&carried_out, &scenario, false, Vec::new(), Until::Boot, &monitor)?;
    let report = Report::new(&run, &kept(&carried_out, &scenario));
    if let Some(files) = &files {
        save(files, &migration, &scenario, &run, &report)?;
    }
    let mut text = Summary { report: &report, baseline: Some(&C_COMPONENT) }.to_string();
    if let Some(dir) = &args.out {
        text.push_str(&format!(
            "\nwritten to {}: before.bin, at-reset.bin, after.bin, report.json, flash.svg,\n\
             and the migration with \
             its files\n",
            dir.display()
        ));
    }
    output::text(&text)?;
    Ok(verdict(&run))
}

/// What to do about a chip without a loader.
const NO_LOADER: &str = "name --chip esp32c3, esp32c6 or esp32h2";

/// The files to write; without `--force`, none of them may exist already.
struct Files(Vec<Destination>);

impl Files {
    fn new(dir: &Path, migration: &OwnedMigration, force: Force) -> Result<Self, CommandError> {
        fs::create_dir_all(dir).map_err(|error| CommandError::file("create", dir, &error))?;
        let artifacts = migration.artifacts.iter().filter(|artifact| artifact.bytes.is_some());
        let named = artifacts.map(|artifact| format!("{}.bin", artifact.name));
        let files = NAMES.map(str::to_owned).into_iter().chain(named);
        let files = files.map(|name| Destination::new(&dir.join(name), &Inputs::default(), force));
        files.collect::<Result<_, _>>().map(Self)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
        let file = self.0.iter().find(|file| file.path().ends_with(name));
        file.map_or(Ok(()), |file| file.write(bytes))
    }
}

/// The names of all files that may be written.
const NAMES: [&str; 10] = [
    "migration.toml",
    "partitions.bin",
    "before.bin",
    "at-reset.bin",
    "after.bin",
    "report.json",
    "flash.svg",
    "app.bin",
    "esp-idf-bootloader.bin",
    "old-app.bin",
];

/// Writes the results of the run, and what `bootswap simulate` needs to repeat it.
fn save(
    files: &Files,
    migration: &OwnedMigration,
    scenario: &Scenario,
    run: &Run,
    report: &Report,
) -> Result<(), CommandError> {
    // A dump shows the device before its update.
    files.write("before.bin", &scenario.old.to_bytes())?;
    files.write("after.bin", &run.after.to_bytes())?;
    if let Some(memory) = &run.at_reset {
        files.write("at-reset.bin", &memory.to_bytes())?;
    }
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    files.write("report.json", json.as_bytes())?;
    files.write("flash.svg", picture(migration, scenario, run).as_bytes())?;
    for artifact in &migration.artifacts {
        if let Some(bytes) = &artifact.bytes {
            files.write(&format!("{}.bin", artifact.name), bytes)?;
        }
    }
    if let Some(table) = &migration.partition_table {
        files.write("partitions.bin", table)?;
    }
    // The files that the walk-through in the README signs and merges with other tools.
    files.write("app.bin", &unsigned_app(migration.chip))?;
    let bootloader = image_at(run, migration.chip.bootloader_region());
    files.write("esp-idf-bootloader.bin", &bootloader)?;
    files.write("old-app.bin", &image_in(&scenario.old, scenario.running.region))?;
    files.write("migration.toml", toml(migration.chip, migration.commit).as_bytes())
}
