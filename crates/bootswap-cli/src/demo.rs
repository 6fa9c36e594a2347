//! `bootswap demo`: the example, end to end, on a simulated device.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use bootswap_migration::OwnedMigration;
use bootswap_sim::example::{example, image_at, image_in, picture, toml, unsigned_app};
use bootswap_sim::summary::{C_COMPONENT, Summary};
use bootswap_sim::{Report, Run, Scenario, Until, kept};

use crate::args::DemoArgs;
use crate::error::{CommandError, Verdict};
use crate::monitor::TerminalMonitor;
use crate::output;
use crate::simulation::{live, scenario_failure, verdict, write};

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] where the example cannot be set up, or its files not be written.
pub fn command(args: &DemoArgs) -> Result<Verdict, CommandError> {
    let migration =
        example(args.chip).map_err(|error| CommandError::input(error, "report this as a fault"))?;
    let scenario = Scenario::synthetic(&migration).map_err(scenario_failure)?;
    let monitor = RefCell::new(TerminalMonitor::new());
    let run = live(&migration, &scenario, false, Vec::new(), Until::Boot, &monitor)?;
    let report = Report::new(&run, &kept(&migration, &scenario));
    if let Some(dir) = &args.out {
        save(dir, &migration, &scenario, &run, &report)?;
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

/// Writes what is left of the run, and what `bootswap simulate` needs to repeat it.
fn save(
    dir: &Path,
    migration: &OwnedMigration,
    scenario: &Scenario,
    run: &Run,
    report: &Report,
) -> Result<(), CommandError> {
    fs::create_dir_all(dir).map_err(|error| CommandError::file("create", dir, &error))?;
    // A dump is the device before its update.
    write(&dir.join("before.bin"), &scenario.old.to_bytes())?;
    write(&dir.join("after.bin"), &run.after.to_bytes())?;
    if let Some(memory) = &run.at_reset {
        write(&dir.join("at-reset.bin"), &memory.to_bytes())?;
    }
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    write(&dir.join("report.json"), json.as_bytes())?;
    write(&dir.join("flash.svg"), picture(migration, scenario, run).as_bytes())?;
    for artifact in &migration.artifacts {
        if let Some(bytes) = &artifact.bytes {
            write(&dir.join(format!("{}.bin", artifact.name)), bytes)?;
        }
    }
    if let Some(table) = &migration.partition_table {
        write(&dir.join("partitions.bin"), table)?;
    }
    // What the walk-through of the README signs and merges with other tools.
    write(&dir.join("app.bin"), &unsigned_app(migration.chip))?;
    write(&dir.join("esp-idf-bootloader.bin"), &image_at(run, migration.chip.bootloader_region()))?;
    write(&dir.join("old-app.bin"), &image_in(&scenario.old, scenario.running.region))?;
    write(&dir.join("migration.toml"), toml(migration.chip).as_bytes())
}
