//! Cleans up when a signal ends the program: removes half-written files, restores the terminal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// What a signal must clean up.
struct Pending {
    parts: Vec<PathBuf>,
    restore_terminal: Option<fn()>,
}

impl Pending {
    fn put_in_order(&self) {
        for part in &self.parts {
            // A file that cannot be removed cannot be reported either.
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
    // The value is consistent at every moment, so a panic elsewhere does no harm.
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a file if a signal comes before the returned value is dropped.
pub(crate) fn remove_on_signal(path: &Path) -> Part {
    pending().parts.push(path.to_owned());
    watch();
    Part(path.to_owned())
}

/// Calls the function if a signal comes before the returned value is dropped.
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

/// A terminal that is restored at a signal.
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
        // Without the thread, a signal ends the program without the cleanup.
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
        // SIGXFSZ becomes an ordinary error of writing as soon as it has a handler.
        for signal in signals.forever().filter(|signal| *signal != SIGXFSZ) {
            // Locked until the end, so that no other thread begins a file or draws now.
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
