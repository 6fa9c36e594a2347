//! Shows the console of a simulated device, and draws progress.

use std::io::IsTerminal;
use std::time::Duration;

use bootswap_config::LogLevel;
use bootswap_engine::Event;
use bootswap_sim::Monitor;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::output::note;

/// Lines go to stderr, and a progress bar if that is a terminal.
#[derive(Debug)]
pub struct TerminalMonitor {
    bar: Option<ProgressBar>,
    interactive: bool,
}

impl TerminalMonitor {
    /// A monitor on stderr.
    #[must_use]
    pub fn new() -> Self {
        Self { bar: None, interactive: std::io::stderr().is_terminal() }
    }
}

impl Default for TerminalMonitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Monitor for TerminalMonitor {
    fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    fn level(&self) -> LogLevel {
        LogLevel::Info
    }

    /// Draws the progress of a step of the migrator, until the next step begins.
    fn progress(&mut self, event: &Event<'_>) {
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

/// Progress of work in pieces, as a bar if stderr is a terminal.
pub fn progress(what: &'static str, count: usize) -> Box<dyn Fn() + Send + Sync> {
    if !std::io::stderr().is_terminal() {
        return Box::new(|| ());
    }
    let bar =
        ProgressBar::new(count as u64).with_message(what).with_finish(ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template("  {msg} {bar:40} {pos}/{len} {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    Box::new(move || bar.inc(1))
}
