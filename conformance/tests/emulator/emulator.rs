//! An emulator of ESP32 and ESP32-C3: a chip with its mask ROM, whose flash is a file.
//!
//! It is derived from Espressif's QEMU. `-no-reboot` makes it end when the chip resets; then it is
//! started again on the same file, because its caches of the flash would be stale otherwise.
//!
//! Its network checks the host's sockets only when one of its timers expires, which adds up to a
//! second to each connection. A filter that releases the chip's packets every millisecond makes it
//! check as often.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use esp_idf_format::Chip;

/// Environment variable with the path of an emulator with RISC-V cores: `qemu-system-riscv32` with
/// a machine `esp32c3`.
const RISCV: &str = "BOOTSWAP_QEMU";
/// The same for Xtensa cores: `qemu-system-xtensa` with a machine `esp32`.
const XTENSA: &str = "BOOTSWAP_QEMU_XTENSA";
/// A device that prints nothing for this long has hung; its longest wait is that for DHCP.
const PATIENCE: Duration = Duration::from_secs(180);

/// The filter that makes the network check often; its interval is in microseconds.
const AWAKE: &str = "filter-buffer,id=awake,netdev=host,queue=rx,interval=1000";

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The chip reset.
    Reset,
    /// Power was cut.
    Killed,
    /// The console showed what was waited for.
    Seen,
}

/// What the serial console showed.
#[derive(Debug)]
pub struct Console {
    /// Its lines, and when they began, since power on. The last one may be incomplete.
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
    /// For this time, or until it resets.
    CutAfter(Duration),
    /// Until the console has shown this, and then nothing for this time.
    UntilSilent(&'a str, Duration),
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
            Self::UntilReset | Self::CutAfter(_) | Self::UntilSilent(..) => false,
            Self::UntilSeen(text) => find(text).is_some(),
            Self::UntilPast(text) => {
                find(text).is_some_and(|at| lines[at + 1..].iter().any(is_word))
            }
        }
    }
}

/// The chip's network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    /// There is no card.
    None,
    /// There is a card, and nothing answers.
    Silent,
    /// There is a card, and the host answers.
    Host,
}

/// The chip's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// Each instruction takes 8 ns, about as on the chip. With the host's clock, a console that is
    /// driven by interrupts, as NuttX's is, hangs in one start of a hundred.
    Counted,
    /// Each instruction takes about a microsecond, so that waits pass about thirty times as fast as
    /// on the host. Timeouts for the host are shorter by as much.
    Fast,
    /// The host's clock.
    Host,
}

/// Runs the chip on a flash file, with or without a network.
pub fn run(chip: Chip, flash: &Path, has_network: bool, power: Power<'_>) -> Console {
    let network = if has_network { Network::Host } else { Network::None };
    watch(chip, flash, network, Time::Counted, power, &mut |_| {})
}

/// Runs the chip, and shows each line of the console to `see` as it comes.
pub fn watch(
    chip: Chip,
    flash: &Path,
    network: Network,
    time: Time,
    power: Power<'_>,
    see: &mut dyn FnMut(&str),
) -> Console {
    let chip = Running::start(chip, flash, network, time);
    let start = Instant::now();
    let (mut lines, mut line, mut shown) = (Vec::new(), Vec::new(), 0);
    let ended = loop {
        let is_seen = |text| lines.iter().any(|(_, line): &(_, String)| line.contains(text));
        let left = match power {
            Power::CutAfter(limit) => limit.saturating_sub(start.elapsed()),
            Power::UntilSilent(text, limit) if is_seen(text) => limit,
            Power::UntilReset
            | Power::UntilSilent(..)
            | Power::UntilSeen(_)
            | Power::UntilPast(_) => PATIENCE,
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
                let is_cut = match power {
                    Power::CutAfter(_) => true,
                    Power::UntilSilent(text, _) => is_seen(text),
                    _ => false,
                };
                assert!(is_cut, "the chip hangs:\n{lines:#?}");
                break Ended::Killed;
            }
        }
    };
    drop(chip);
    Console { lines, ended, started: start, took: start.elapsed() }
}

/// Adds what the console showed. `line` is the last line while it is incomplete: a prompt always
/// is.
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

/// The file with the eFuses of an ESP32 that has this flash file. Where there is none, it gets
/// those of the latest revision, 3.0; all zeros are those of revision 0.0.
pub fn efuse_file(flash: &Path) -> PathBuf {
    flash.with_extension("efuse")
}

/// The eFuses of an ESP32 of revision 3.0: bits 15 of word 3 and 20 of word 5 of block 0, beside
/// one of another register, which the emulator always sets (ESP32 Technical Reference Manual,
/// "eFuse Controller"; `hw/nvram/esp32_efuse.c` of the emulator).
fn efuses_of_revision_3() -> Vec<u8> {
    /// Words of the four blocks.
    const WORDS: usize = 7 + 3 * 8;
    let mut words = [0_u32; WORDS];
    (words[3], words[5]) = (1 << 15, 1 << 20);
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A chip that has power.
struct Running {
    child: Child,
    console: Receiver<Vec<u8>>,
}

impl Running {
    fn start(chip: Chip, flash: &Path, network: Network, time: Time) -> Self {
        let variable = if chip == Chip::Esp32 { XTENSA } else { RISCV };
        let program = PathBuf::from(env::var_os(variable).unwrap_or_else(|| {
            panic!(
                "{variable} does not name an emulator; run `cargo xtask emulate`, which finds one"
            )
        }));
        let mut command = Command::new(&program);
        command.args(["-M", chip.name(), "-nographic", "-no-reboot", "-drive"]);
        // Completed writes survive a kill.
        command.arg(format!("file={},if=mtd,format=raw,cache=writethrough", flash.display()));
        if chip == Chip::Esp32 {
            let file = efuse_file(flash);
            if !file.exists() {
                fs::write(&file, efuses_of_revision_3()).expect("the file of the eFuses");
            }
            command.arg("-drive");
            command.arg(format!("file={},if=none,format=raw,id=efuse", file.display()));
            command.args(["-global", "driver=nvram.esp32.efuse,property=drive,value=efuse"]);
        }
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

/// Cuts the power, with `SIGKILL`.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
