//! The board as the engine sees it.

use bootswap_config::LogLevel;
use bootswap_engine::{Event, Platform, Veto};

use crate::{CommitWindow, Hardware, Log, News};

/// Bytes of an artifact between two lines about its progress.
const PROGRESS_BYTES: u32 = 64 * 1024;

/// A board and its console.
pub(crate) struct Talking<'a, 'l, B> {
    board: &'a mut B,
    log: Log<'l>,
    window: &'a CommitWindow,
    /// Bytes in place when progress was last printed.
    told_bytes: u32,
    /// Whether anything was written that the device boots from.
    has_committed: bool,
}

impl<'a, 'l, B: Hardware> Talking<'a, 'l, B> {
    pub(crate) fn new(board: &'a mut B, log: Log<'l>, window: &'a CommitWindow) -> Self {
        Self { board, log, window, told_bytes: 0, has_committed: false }
    }

    /// Whether anything was written that the device boots from.
    pub(crate) const fn has_committed(&self) -> bool {
        self.has_committed
    }
}

impl<B: Hardware> Platform for Talking<'_, '_, B> {
    fn event(&mut self, event: &Event<'_>) {
        self.board.hears(News::Event(event));
        let level = match event {
            Event::Progress { done_bytes, .. } => {
                if done_bytes.abs_diff(self.told_bytes) < PROGRESS_BYTES {
                    return;
                }
                self.told_bytes = *done_bytes;
                LogLevel::Debug
            }
            Event::Repairing { .. } | Event::Retry { .. } | Event::Refused { .. } => LogLevel::Warn,
            _ => LogLevel::Info,
        };
        self.has_committed |= matches!(event, Event::Committing { .. } | Event::Selected);
        // A commit that is complete already, after one that did not verify, only reports that it
        // resets.
        if matches!(event, Event::Committed | Event::Resetting) {
            self.window.close();
        }
        self.log.say(level, format_args!("{event}"));
    }

    fn follows_reset(&mut self) -> bool {
        self.board.follows_reset()
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.board.delay_ms(ms).await;
    }

    fn alive(&mut self) {
        self.board.feed();
    }

    async fn before_commit(&mut self) -> Result<(), Veto> {
        // The engine comes here again if what it wrote did not verify. There is no way back then.
        if self.window.is_open() {
            return Ok(());
        }
        self.board.supply()?;
        self.board.quiet().await;
        self.window.open();
        Ok(())
    }
}
