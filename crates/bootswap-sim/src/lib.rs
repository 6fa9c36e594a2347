//! Simulated migrations: a device in memory, real HTTP on loopback, the firmware's own code in
//! between.
//!
//! This example cuts the power at twenty flash operations of a migration, also in the middle of
//! operations, and each time the device must end with the target running:
//!
//! ```
//! use bootswap_sim::sweep::{Amount, Pool, PowerCuts, Sweeps, sweep};
//! use bootswap_sim::{Scenario, Settings, Until};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One's own: bootswap_migration::load("migration.toml".as_ref())?
//! let migration = bootswap_sim::example(esp_idf_format::Chip::Esp32c3)?;
//! // Or a dump of a real device, with the migrator brought to it as its old firmware would:
//! // facts::deliver(chip, &dump, None, &sent)?, and Scenario::delivered for each of these.
//! let device = Scenario::synthetic(&migration)?;
//! let sweeps = Sweeps {
//!     power_cuts: PowerCuts { amount: Amount::Some(20), torn: true, twice: false, seed: 1 },
//!     flash_faults: Amount::None,
//!     network_faults: Amount::None,
//!     pool: Pool::new(None),
//! };
//! let (run, outcome) = sweep(&migration, &device, Settings::new(Until::Boot), &sweeps)?;
//! println!("without a power cut: {}", run.outcome);
//! let power_cuts = outcome.power_cuts.ok_or("the migration does not reach its target")?;
//! println!("{power_cuts}");
//! assert_eq!(power_cuts.failed, 0, "{:?}", power_cuts.failures);
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!   Scenario: flash and board, synthetic or a dump     OriginServer: the artifacts over HTTP
//!       \                                                     /
//!        '--> live: power on, boot, migrator, reset, MCUboot, target
//!               '--> run: the same with account of every operation --> Report, picture (svg)
//!               '--> sweep: power cuts, flash faults, network faults --> SweepOutcome
//! ```
//!
//! Simulated are the flash chip with datasheet times ([`nor_sim`]), mask ROM, ESP-IDF bootloader
//! and MCUboot ([`device_sim`]). Real are the migrator ([`bootswap_migrator`]) with planner and
//! engine, the HTTP client, server and sockets. The simulator judges the migrator: apart from what
//! the firmware itself would report, it looks only at flash, at what boots from it, and at what was
//! received over the network.

pub mod example;
mod fault_check;
mod kept;
mod life;
mod metered;
mod migrator;
mod monitor;
mod net;
pub mod origin;
mod outcome;
pub mod report;
mod run;
mod scenario;
pub mod summary;
pub mod svg;
pub mod sweep;
#[doc(hidden)]
pub mod variants;
mod window;

#[cfg(test)]
mod hazards;

pub use example::{ExampleError, example};
pub use fault_check::{IdleFault, check_faults};
pub use kept::kept;
pub use life::{Settings, Until};
pub use monitor::{Monitor, Unwatched};
pub use net::{HostConnection, HostError, HostNetwork};
pub use origin::OriginServer;
pub use outcome::RunOutcome;
pub use report::Report;
pub use run::{Run, run};
pub use scenario::{Scenario, ScenarioError};
