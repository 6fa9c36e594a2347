//! imgtool in a directory of its own, with many commands for each start of Python.

use std::path::PathBuf;

use conformance::python;
use mcuboot_format::key::{KeyKind, PrivateKey};
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};
use mcuboot_format::{SlotLimits, SwapKind};

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

/// Runs the commands of its arguments, which are separated by `;;`, and prints a line for each: the
/// exit status, and what the command printed with `|` for the ends of lines.
const BATCH: &str = r#"
import contextlib, io, itertools, sys
from imgtool.main import imgtool

for last, words in itertools.groupby(sys.argv[1:], lambda word: word == ";;"):
    if last:
        continue
    said = io.StringIO()
    status = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            imgtool(list(words), prog_name="imgtool")
        except SystemExit as exit:
            status = exit.code or 0
    print(status, said.getvalue().replace("\n", "|"))
"#;

/// The result of an imgtool command.
#[derive(Debug)]
pub struct Said {
    pub succeeded: bool,
    pub text: String,
}

/// A directory in which imgtool works.
pub struct Imgtool {
    dir: tempfile::TempDir,
}

impl Imgtool {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The path as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.arg(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs the commands, one after the other.
    pub fn run(&self, commands: &[Vec<String>]) -> Vec<Said> {
        let words = commands.join(&";;".to_owned());
        let ran = python::run(["-c".to_owned(), BATCH.to_owned()].into_iter().chain(words));
        let stdout = ran.expect_success().stdout;
        let said: Vec<Said> = stdout
            .lines()
            .map(|line| {
                let (status, text) = line.split_once(' ').unwrap();
                Said { succeeded: status == "0", text: text.to_owned() }
            })
            .collect();
        assert_eq!(said.len(), commands.len(), "{stdout}");
        said
    }

    /// Runs commands that must all succeed.
    pub fn expect(&self, commands: &[Vec<String>]) {
        for (command, said) in commands.iter().zip(self.run(commands)) {
            assert!(said.succeeded, "imgtool {}: {}", command.join(" "), said.text);
        }
    }

    /// Has imgtool make a key, and reads it.
    pub fn keygen(&self, kinds: &[KeyKind]) -> Vec<PrivateKey> {
        let keygen = |kind: &KeyKind| words(&["keygen", "-t", kind.name(), "-k", &self.key(*kind)]);
        self.expect(&kinds.iter().map(keygen).collect::<Vec<_>>());
        let read =
            |kind: &KeyKind| PrivateKey::from_pem(&self.read_text(&format!("{kind}.pem"))).unwrap();
        kinds.iter().map(read).collect()
    }

    /// The path of the private key of that kind.
    pub fn key(&self, kind: KeyKind) -> String {
        self.arg(&format!("{kind}.pem"))
    }
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The trailer that imgtool makes with `--align` and without `-M`.
pub fn trailer_config(write_unit_bytes: u32, swap: SwapKind) -> TrailerConfig {
    TrailerConfig { write_unit_bytes, max_align: write_unit_bytes.max(8), max_sectors: 128, swap }
}

pub fn trailer_layout(slot_len_bytes: u32, config: TrailerConfig) -> TrailerLayout {
    TrailerLayout::new(Region::clamped(FlashAddr::ZERO, slot_len_bytes), config).unwrap()
}

pub fn limits(layout: &TrailerLayout) -> SlotLimits {
    SlotLimits::new(layout, layout, SECTOR_BYTES)
}

/// A payload without repetitions.
pub fn payload(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
