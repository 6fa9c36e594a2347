//! What is put in order when a signal ends the program: half-written files, and the terminal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// What there is to do at a signal.
struct Pending {
    parts: Vec<PathBuf>,
    restore_terminal: Option<fn()>,
}

impl Pending {
    fn put_in_order(&self) {
        for part in &self.parts {
            // What cannot be removed cannot be reported either.
            let _ = fs::remove_file(part);
        }
        if let Some(restore) = self.restore_terminal {
            restore();
        }
    }
}

static PENDING: Mutex<Pending> = Mutex::new(Pending { parts: Vec::new(), restore_terminal: None });
static WATCH: Once = Once::new();

fn pending() -> MutexGuard<'static, Pending> {
    // What is in there is whole at every moment, so a panic elsewhere changes nothing.
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a file if a signal comes before the value goes.
pub(crate) fn remove_on_signal(path: &Path) -> Part {
    pending().parts.push(path.to_owned());
    watch();
    Part(path.to_owned())
}

/// Calls this if a signal comes before the value goes.
pub(crate) fn restore_on_signal(restore_terminal: fn()) -> Screen {
    pending().restore_terminal = Some(restore_terminal);
    watch();
    Screen
}

/// A file that is removed at a signal.
#[derive(Debug)]
pub(crate) struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        pending().parts.retain(|part| *part != self.0);
    }
}

/// A terminal that is given back at a signal.
#[derive(Debug)]
pub(crate) struct Screen;

impl Drop for Screen {
    fn drop(&mut self) {
        pending().restore_terminal = None;
    }
}

/// Waits for signals in a thread of its own, from the first call on.
fn watch() {
    WATCH.call_once(|| {
        // Without it a signal ends the program as it always did, only less tidily.
        let _ = start();
    });
}

#[cfg(unix)]
fn start() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGXFSZ])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // A file above the limit of its size is an error of writing, once somebody listens.
        for signal in signals.forever().filter(|signal| *signal != SIGXFSZ) {
            // Held to the end: nobody begins a file, or draws, that would be left behind.
            let pending = pending();
            pending.put_in_order();
            let _ = emulate_default_handler(signal);
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn start() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_at_a_signal_and_a_finished_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (part, whole) = (dir.path().join("part"), dir.path().join("whole"));
        for file in [&part, &whole] {
            fs::write(file, "x").unwrap();
        }
        let _part = remove_on_signal(&part);
        drop(remove_on_signal(&whole));
        pending().put_in_order();
        assert!(!part.exists() && whole.exists());
    }
}
