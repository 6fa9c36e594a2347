//! Connects a session to the terminal: reads keys, draws the screen.

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEventKind,
};
use ratatui::crossterm::execute;

use crate::interrupt;

use super::session::{Next, Session};
use super::view;

/// Idle time after which the file on disk is checked for changes.
const IDLE: Duration = Duration::from_millis(1000);

/// Whether stdin and stdout are a terminal.
#[must_use]
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Runs a session until the menu is left.
///
/// Restores the terminal afterwards, even after an error or a panic.
///
/// # Errors
///
/// That of the terminal.
pub fn run(session: &mut Session) -> io::Result<()> {
    // ratatui restores the terminal in a hook for panics, too.
    let terminal = ratatui::try_init()?;
    let _restored = Restored;
    let _signals = interrupt::restore_on_signal(restore);
    // A terminal that cannot distinguish pasted text sends it as keys.
    let _ = execute!(io::stdout(), EnableBracketedPaste);
    turn(terminal, session)
}

fn turn(mut terminal: DefaultTerminal, session: &mut Session) -> io::Result<()> {
    loop {
        terminal.draw(|frame| view::draw(frame, session.menu()))?;
        if !event::poll(IDLE)? {
            session.look_at_disk();
            continue;
        }
        let next = match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => session.key(key),
            Event::Paste(text) => {
                session.paste(&text);
                Next::Go
            }
            _ => Next::Go,
        };
        if next == Next::End {
            return Ok(());
        }
    }
}

/// Restores the terminal when it is dropped.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let _ = execute!(io::stdout(), DisableBracketedPaste, Show);
    ratatui::restore();
}
