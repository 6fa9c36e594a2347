//! The command line: raw arguments, checked as far as possible without reading a file.

mod carrier;
mod config;
mod image;
mod pack;
mod sweep;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bootswap_plan::CommitWay;
use bootswap_serve::ServerFault;
use bootswap_sim::Until;
use clap::{Args, Parser, Subcommand, ValueEnum};
use esp_idf_format::Chip;

pub use carrier::{CarrierArgs, FirstStageArgs, LoaderArgs};
pub use config::ConfigArgs;
pub use image::{
    ConfirmArgs, ImageCommand, InfoArgs, SecurityCounter, SignArgs, TrailerArgs, VerifyArgs,
};
pub use pack::PackArgs;
pub use sweep::SweepArgs;
use values::{ChipParser, commit_way, fault, listen};

use crate::output::Force;

const EXIT_STATUS: &str = "\
Exit status:
  0  done, or it would be safe
  1  it would not be safe, or a verification failed
  2  bad input or usage; the message says what to change

Data goes to stdout, progress and log to stderr.";

/// Moves ESP32 devices from ESP-IDF to MCUboot over their own update channel
#[derive(Clone, Debug, Parser)]
#[command(name = "bootswap", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the example migration, end to end, on a simulated device
    Demo(DemoArgs),
    /// Show what a migration would do to a device, or every reason why it is refused
    Plan(PlanArgs),
    /// Edit a migration in a menu, with the planner's verdict on every change
    Config(ConfigArgs),
    /// Run a migration on a simulated device, from a flash dump or generated
    Simulate(SimulateArgs),
    /// Show, verify, sign and confirm images, partition tables and flash dumps
    #[command(subcommand)]
    Image(ImageCommand),
    /// Make the migrator to send out: put a migration into a firmware image
    Pack(PackArgs),
    /// Serve files to devices in the lab over HTTP, with faults on request
    Serve(ServeArgs),
}

/// Arguments of `bootswap demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Chip of the device; without it, esp32s3, or with --commit hosted esp32c3
    #[arg(long, value_name = "CHIP", value_parser = ChipParser)]
    pub chip: Option<Chip>,
    /// How the device comes to boot the target: replace, or hosted, where the old bootloader stays
    /// and starts a carrier
    #[arg(long, value_name = "HOW", value_parser = commit_way(), default_value = "replace")]
    pub commit: CommitWay,
    /// Directory to write the migration and the device's flash to, before and after
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Whether its files may exist already
    #[command(flatten)]
    pub force: Force,
}

/// Arguments of `bootswap plan`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The same planner runs on the device, so a device like this one will do what is \
    printed."
)]
pub struct PlanArgs {
    /// The migration
    #[arg(value_name = "MIGRATION.toml")]
    pub migration: PathBuf,
    /// Flash of a real device as it is before the update, read from address 0; without it, the
    /// device is assumed to have the migration's partition table
    #[arg(long, value_name = "DUMP.bin")]
    pub flash: Option<PathBuf>,
    /// Flash of more devices
    #[arg(value_name = "DUMP.bin", requires = "flash")]
    pub more: Vec<PathBuf>,
    /// Label of the partition that the migrator runs from; without it, the one in the migration.
    /// With a dump: every partition that the migrator may run from, first the one that the device's
    /// next update is written to
    #[arg(long, value_name = "LABEL")]
    pub running: Option<String>,
    /// The migrator as `bootswap pack` wrote it; without it, the length of the prebuilt firmware is
    /// used, or an assumed length if there is none
    #[arg(long, value_name = "FILE")]
    pub migrator: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

impl PlanArgs {
    /// The dumps, in the order of the command line.
    #[must_use]
    pub fn dumps(&self) -> Vec<&Path> {
        self.flash.iter().chain(&self.more).map(PathBuf::as_path).collect()
    }
}

/// Arguments of `bootswap simulate`.
#[derive(Args, Clone, Debug)]
#[command(after_help = sweep::HELP)]
pub struct SimulateArgs {
    /// The migration
    #[arg(value_name = "MIGRATION.toml")]
    pub migration: PathBuf,
    /// Flash of a real device as it is before the update, read from address 0; without it, one is
    /// generated from the migration
    #[arg(long, value_name = "DUMP.bin")]
    pub flash: Option<PathBuf>,
    /// Label of the partition that the migrator runs from; without it, the one in the migration.
    /// With a dump: every partition that the migrator may run from, first the one that the device's
    /// next update is written to
    #[arg(long, value_name = "LABEL")]
    pub running: Option<String>,
    /// The migrator as `bootswap pack` wrote it; without it, the length of the prebuilt firmware is
    /// used, or an assumed length if there is none
    #[arg(long, value_name = "FILE")]
    pub migrator: Option<PathBuf>,
    /// File to write the final flash contents to; of several partitions, those of the first
    #[arg(long, value_name = "AFTER.bin")]
    pub out: Option<PathBuf>,
    /// Whether the file may exist already
    #[command(flatten)]
    pub force: Force,
    /// How far to go
    #[arg(long, value_enum, value_name = "WHERE", default_value_t)]
    pub until: UntilArg,
    /// Fetch from the URLs in the migration instead of serving its files on loopback
    #[arg(long, conflicts_with = "faults")]
    pub online: bool,
    /// Make the server on loopback fail, as in /app_upd.bin:drop=13000*2; may be repeated, see
    /// `bootswap serve --help`
    #[arg(long = "fault", value_name = "SPEC", value_parser = fault)]
    pub faults: Vec<ServerFault>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// What else is tried after the run without interruption
    #[command(flatten)]
    pub sweep: SweepArgs,
}

/// How far a simulation goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UntilArg {
    /// Until the device resets into the new bootloader
    Reboot,
    /// Through the new bootloader, until an application runs
    #[default]
    Boot,
}

impl From<UntilArg> for Until {
    fn from(until: UntilArg) -> Self {
        match until {
            UntilArg::Reboot => Self::Reboot,
            UntilArg::Boot => Self::Boot,
        }
    }
}

/// Arguments of `bootswap serve`.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("Faults: {}", ServerFault::HELP))]
pub struct ServeArgs {
    /// The migration whose files are served, each at its URL, and nothing else; or a directory,
    /// which is served except for dotfiles and files that contain secrets
    #[arg(value_name = "MIGRATION.toml|DIR")]
    pub what: PathBuf,
    /// File to serve as well, at /NAME, whatever is in it; may be repeated
    #[arg(long, value_name = "FILE")]
    pub also: Vec<PathBuf>,
    /// Address and port to listen on, as in 0.0.0.0:8070 or localhost:8070; port 0 for any free
    /// port
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8070", value_parser = listen)]
    pub listen: SocketAddr,
    /// Make the server fail; may be repeated
    #[arg(long = "fault", value_name = "SPEC", value_parser = fault)]
    pub faults: Vec<ServerFault>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_example() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().command;
        let Command::Demo(demo) = parse("bootswap demo") else { panic!("not demo") };
        assert_eq!((demo.chip, demo.out), (None, None));
        let Command::Serve(serve) = parse("bootswap serve .") else { panic!("not serve") };
        assert_eq!(serve.listen.to_string(), "0.0.0.0:8070");
        let Command::Simulate(simulate) =
            parse("bootswap simulate m.toml --fault drop*2 --fault html")
        else {
            panic!("not simulate")
        };
        assert_eq!((simulate.until, simulate.faults.len()), (UntilArg::Boot, 2));
    }

    #[test]
    fn faults_and_the_servers_of_others_exclude_each_other() {
        let line = ["bootswap", "simulate", "m.toml", "--online", "--fault", "html"];
        assert!(Cli::try_parse_from(line).unwrap_err().to_string().contains("--online"));
    }
}
