//! Tells what happens on a simulated device, as a serial console would, and draws progress.

use std::io::IsTerminal;
use std::time::Duration;

use bootswap_config::LogLevel;
use bootswap_engine::Event;
use indicatif::{ProgressBar, ProgressStyle};
use nor_sim::Modelled;

/// Who tells the story: lines to stderr, a progress bar if that is a terminal.
#[derive(Debug)]
pub struct Story {
    quiet: bool,
    bar: Option<ProgressBar>,
    interactive: bool,
}

impl Story {
    /// A story told on stderr.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self { quiet: false, bar: None, interactive: std::io::stderr().is_terminal() }
    }

    /// A story told to nobody.
    #[must_use]
    pub const fn silent() -> Self {
        Self { quiet: true, bar: None, interactive: false }
    }

    /// A line of the device itself: ROM, bootloaders, and what the simulator has to say.
    pub fn line(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// How much the migrator says on its console.
    #[must_use]
    pub const fn level(&self) -> LogLevel {
        if self.quiet { LogLevel::Off } else { LogLevel::Info }
    }

    /// Draws how far the migrator is, and stops doing so when it is on to something else.
    pub fn progress(&mut self, event: &Event<'_>) {
        let Event::Progress { done_bytes, total_bytes, .. } = *event else {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        };
        if !self.interactive {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(u64::from(total_bytes.unwrap_or(0)));
            if let Ok(style) =
                ProgressStyle::with_template("  {bar:40} {bytes}/{total_bytes} {bytes_per_sec}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_position(u64::from(done_bytes));
    }
}

/// Modelled milliseconds: flash operations, reads, and waits.
pub fn stamp_ms(now: Modelled) -> u64 {
    (now.busy_us.typ + now.read_us) / 1000
}
