//! An emulator of the ESP32-C3: a chip with its mask ROM, whose flash is a file.
//!
//! It is one derived from Espressif's QEMU. It is started with `-no-reboot`, so that it ends where the chip
//! resets, and started again on the same file: what its caches hold of the flash would be stale otherwise.
//!
//! Left alone, its network looks at the host's sockets when some timer happens to run out, which takes up to
//! a second for each connection. A filter that releases what the chip sends every millisecond keeps it awake.

use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Names the emulator: `qemu-system-riscv32` with a machine `esp32c3`.
const VARIABLE: &str = "BOOTSWAP_QEMU";
/// A device that does nothing for so long has hung; the longest thing that it does is to wait for DHCP.
const PATIENCE: Duration = Duration::from_secs(180);

/// The filter that keeps the network awake; its interval is in microseconds.
const AWAKE: &str = "filter-buffer,id=awake,netdev=host,queue=rx,interval=1000";

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The chip reset.
    Reset,
    /// Power was cut.
    Killed,
    /// What was waited for was printed.
    Seen,
}

/// What the serial console showed.
#[derive(Debug)]
pub struct Console {
    /// Its lines, and when they began, since power on. The last one may have no end yet.
    pub lines: Vec<(Duration, String)>,
    /// How the run ended.
    pub ended: Ended,
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub took: Duration,
}

impl Console {
    /// When a line with `text` came first.
    pub fn when(&self, text: &str) -> Option<Duration> {
        self.lines.iter().find(|(_, line)| line.contains(text)).map(|(when, _)| *when)
    }

    /// All lines.
    pub fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |all, (_, line)| all + line + "\n")
    }
}

/// How long a chip has power.
#[derive(Clone, Copy, Debug)]
pub enum Power<'a> {
    /// Until it resets.
    UntilReset,
    /// Not longer than this.
    CutAfter(Duration),
    /// Until the console shows this.
    UntilSeen(&'a str),
    /// Until the console shows anything after a line with this.
    UntilPast(&'a str),
}

impl Power<'_> {
    fn is_over(&self, lines: &[(Duration, String)]) -> bool {
        let find = |text: &str| lines.iter().position(|(_, line)| line.contains(text));
        let is_word = |(_, line): &(Duration, String)| !line.trim().is_empty();
        match self {
            Self::UntilReset | Self::CutAfter(_) => false,
            Self::UntilSeen(text) => find(text).is_some(),
            Self::UntilPast(text) => {
                find(text).is_some_and(|at| lines[at + 1..].iter().any(is_word))
            }
        }
    }
}

/// What is at the other end of the chip's network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    /// There is no card.
    None,
    /// There is a card, and nobody answers.
    Silent,
    /// There is the host.
    Host,
}

/// How time goes for the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// By instructions, of which each takes 8 ns, about as on the chip. By the host's clock, a console that is
    /// driven by interrupts, as NuttX's is, stands still for ever in one start of a hundred.
    Counted,
    /// By instructions, of which each takes about a microsecond: waits pass some thirty times as fast as
    /// on the host. Whoever waits for the host has less patience by as much.
    Fast,
    /// As it does for the host.
    Host,
}

/// Runs the chip on a flash file, with or without a network.
pub fn run(flash: &Path, has_network: bool, power: Power<'_>) -> Console {
    let network = if has_network { Network::Host } else { Network::None };
    watch(flash, network, Time::Counted, power, &mut |_| {})
}

/// Runs the chip, and shows each line of the console to `see` as it comes.
pub fn watch(
    flash: &Path,
    network: Network,
    time: Time,
    power: Power<'_>,
    see: &mut dyn FnMut(&str),
) -> Console {
    let chip = Chip::start(flash, network, time);
    let start = Instant::now();
    let (mut lines, mut line, mut shown) = (Vec::new(), Vec::new(), 0);
    let ended = loop {
        let left = match power {
            Power::CutAfter(limit) => limit.saturating_sub(start.elapsed()),
            Power::UntilReset | Power::UntilSeen(_) | Power::UntilPast(_) => PATIENCE,
        };
        match chip.console.recv_timeout(left) {
            Ok(piece) => {
                take(&mut lines, &mut line, &piece, start.elapsed());
                let whole = lines.len() - usize::from(!line.is_empty());
                lines[shown..whole].iter().for_each(|(_, line)| see(line));
                shown = whole;
                if power.is_over(&lines) {
                    break Ended::Seen;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break Ended::Reset,
            Err(RecvTimeoutError::Timeout) => {
                assert!(matches!(power, Power::CutAfter(_)), "the chip hangs:\n{lines:#?}");
                break Ended::Killed;
            }
        }
    };
    drop(chip);
    Console { lines, ended, started: start, took: start.elapsed() }
}

/// Adds what the console showed. `line` is the last of the lines, as long as it has no end: a prompt never
/// gets one.
fn take(lines: &mut Vec<(Duration, String)>, line: &mut Vec<u8>, piece: &[u8], now: Duration) {
    for part in piece.split_inclusive(|byte| *byte == b'\n') {
        if line.is_empty() {
            lines.push((now, String::new()));
        }
        line.extend_from_slice(part);
        if let Some((_, last)) = lines.last_mut() {
            *last = String::from_utf8_lossy(line).trim_end().to_owned();
        }
        if part.ends_with(b"\n") {
            line.clear();
        }
    }
}

struct Chip {
    child: Child,
    console: Receiver<Vec<u8>>,
}

impl Chip {
    fn start(flash: &Path, network: Network, time: Time) -> Self {
        let program = PathBuf::from(env::var_os(VARIABLE).unwrap_or_else(|| {
            panic!("{VARIABLE} does not name an emulator; run `cargo xtask emulate`, which looks for one")
        }));
        let mut command = Command::new(&program);
        command.args(["-M", "esp32c3", "-nographic", "-no-reboot", "-drive"]);
        // What was reported as written survives a kill.
        command.arg(format!("file={},if=mtd,format=raw,cache=writethrough", flash.display()));
        command.args(match network {
            Network::None => &["-nic", "none"][..],
            Network::Silent => &["-nic", "hubport,hubid=0,model=open_eth"],
            Network::Host => &["-nic", "user,id=host,model=open_eth", "-object", AWAKE],
        });
        match time {
            Time::Counted => drop(command.args(["-icount", "shift=3"])),
            Time::Fast => drop(command.args(["-icount", "shift=10"])),
            Time::Host => {}
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut output = child.stdout.take().expect("the console is piped");
        let (send, console) = channel();
        thread::spawn(move || {
            let mut piece = [0; 1024];
            while let Ok(len_bytes @ 1..) = output.read(&mut piece) {
                if send.send(piece[..len_bytes].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, console }
    }
}

/// `SIGKILL`: the power is gone, whatever the chip was doing.
impl Drop for Chip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
