//! Arguments of `bootswap simulate` for sweeps: many runs, each with a different fault.

use std::num::NonZeroUsize;

use clap::Args;

use bootswap_sim::sweep::{Amount, Case, Pool, PowerCuts, Sweeps};

pub(super) const HELP: &str = "\
With --power-cuts, power is lost before and right after every flash operation of the run, and \
with --torn also in the middle of it. The device then boots again from its ROM, and must end with \
the target running; only in the commit window may it be lost. Each case that fails is printed with \
the command that replays it.

Examples of cases: cut:1234:before; cut:1234:middle:7,cut:15:after (power lost again at \
operation 15 of the recovery); op:12:fails; read:500:flips:3; \
stuck:0x310000:3:0; net:/app_upd.bin:drop=13000*1.";

/// The sweeps after the run without interruption.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sweeps")]
pub struct SweepArgs {
    /// Lose power at flash operations: none, all, or N cases picked at random
    #[arg(long, value_name = "none|all|N", default_value = "none", conflicts_with = "online")]
    pub power_cuts: Amount,
    /// Also lose power in the middle of operations
    #[arg(long, requires = "power_cuts")]
    pub torn: bool,
    /// Power cuts in one case: 2 cuts the power again during the recovery, at every operation if
    /// that is feasible, else at a random sample
    #[arg(long, value_name = "1|2", default_value_t = 1, requires = "power_cuts")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=2))]
    pub depth: u8,
    /// Simulate flash faults: erases, programs and reads that fail, silently or not, and stuck bits
    #[arg(long, value_name = "none|all|N", default_value = "none", conflicts_with = "online")]
    pub flash_faults: Amount,
    /// Simulate network faults: connections lost at every KiB, wrong ranges and bytes, silence;
    /// also while the device recovers from a power cut
    #[arg(long, value_name = "none|all|N", default_value = "none", conflicts_with = "online")]
    pub network_faults: Amount,
    /// Seed of the sample and of the bits of torn operations
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; without it, one for each processor
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Replay one case and show everything that happens; --out then writes the flash as its last
    /// power cut leaves it
    #[arg(long, value_name = "CASE")]
    #[arg(conflicts_with_all = ["power_cuts", "flash_faults", "network_faults", "online"])]
    pub replay: Option<Case>,
}

impl SweepArgs {
    /// The sweeps that are asked for.
    #[must_use]
    pub fn sweeps(&self) -> Sweeps {
        let Self { torn, depth, seed, .. } = *self;
        let power_cuts = PowerCuts { amount: self.power_cuts, torn, twice: depth == 2, seed };
        let (flash_faults, network_faults) = (self.flash_faults, self.network_faults);
        Sweeps { power_cuts, flash_faults, network_faults, pool: Pool::new(self.jobs) }
    }
}
