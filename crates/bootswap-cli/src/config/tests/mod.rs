//! The menu driven by keys, and what it shows.
//!
//! Screens are compared with the files in `screens/`; `BOOTSWAP_SCREENS=write` writes them again;
//! read them before you commit them.
// Helpers are test code too: there is no caller to report a failure to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod rows;
mod saving;
mod screens;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tempfile::TempDir;

use bootswap_migration::document::Document;
use bootswap_migration::example::{MIGRATION, PARTITIONS};
use bootswap_migration::judge::Judgement;
use bootswap_migration::keys::GROUPS;

use super::menu::{Mode, Row};
use super::session::{Next, Session};
use super::store::Store;
use super::view;

/// Bytes of a bootloader's image with two segments that are not their data: headers, checksum,
/// SHA-256.
const BOOTLOADER_OVERHEAD_BYTES: u32 = 24 + 2 * 8 + 8 + 32;

/// A directory with the example, and a session with it.
struct MenuSession {
    dir: TempDir,
    session: Session,
}

impl MenuSession {
    fn new() -> Self {
        Self::with(MIGRATION)
    }

    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("partitions.csv"), PARTITIONS).unwrap();
        let example = bootswap_sim::example(Chip::Esp32s3).unwrap();
        let [app, bootloader] =
            [0, 1].map(|index| example.artifacts[index].bytes.as_ref().unwrap());
        fs::write(dir.path().join("app_upd.bin"), app).unwrap();
        // As long as the example's, but its file shows no map, so every map that is typed is
        // accepted.
        let len_bytes = u32::try_from(bootloader.len()).unwrap() - BOOTLOADER_OVERHEAD_BYTES;
        let silent = synthetic::bootloader(Chip::Esp32s3, FlashSize::Mb4, len_bytes, 1).unwrap();
        assert_eq!(silent.len(), bootloader.len());
        fs::write(dir.path().join("mcuboot.bin"), silent).unwrap();
        let path = dir.path().join("migration.toml");
        fs::write(&path, text).unwrap();
        let session = open(&path, text);
        Self { dir, session }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("migration.toml")
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn press(&mut self, code: KeyCode) -> Next {
        self.session.key(KeyEvent::from(code))
    }

    fn keys(&mut self, codes: &[KeyCode]) {
        for code in codes {
            assert_eq!(self.press(*code), Next::Go, "{code:?}");
        }
    }

    fn types(&mut self, text: &str) {
        for character in text.chars() {
            self.keys(&[KeyCode::Char(character)]);
        }
    }

    /// Clears the line, and types another.
    fn retypes(&mut self, text: &str) {
        let clear = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(self.session.key(clear), Next::Go);
        self.types(text);
    }

    /// Goes to a field by its name in the file.
    fn goes_to(&mut self, wanted: &str) {
        for group in 0..GROUPS.len() {
            self.types(&(group + 1).to_string());
            self.keys(&[KeyCode::Home]);
            let is_it = |row: &Row| matches!(row, Row::Field { path, .. } if path.is_field(wanted));
            let rows = self.session.menu().rows();
            if let Some(index) = rows.iter().position(is_it) {
                let down = rows[1..=index].iter().filter(|row| row.is_selectable()).count();
                self.keys(&vec![KeyCode::Down; down]);
                assert_eq!(self.session.menu().at(), index);
                return;
            }
        }
        panic!("there is no field {wanted}");
    }

    fn screen(&self, columns: u16, rows: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view::draw(frame, self.session.menu())).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = (0..rows).map(|y| {
            let line: String = (0..columns).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned() + "\n"
        });
        lines.collect()
    }

    /// Compares the screen with the one in the file of this name.
    fn shows(&self, name: &str, columns: u16, rows: u16) {
        let screen = self.screen(columns, rows);
        let dir: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "src", "config", "screens"].iter().collect();
        let path = dir.join(format!("{name}.txt"));
        if std::env::var_os("BOOTSWAP_SCREENS").is_some_and(|value| value == "write") {
            fs::write(&path, &screen).unwrap();
        }
        let wanted = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(screen, wanted, "{name} is\n{screen}");
    }

    fn is_safe(&self) -> bool {
        matches!(self.session.menu().judged().judgement, Judgement::Safe(_))
    }

    fn reasons(&self) -> Vec<&'static str> {
        match &self.session.menu().judged().judgement {
            Judgement::Refused(reasons) => reasons.iter().map(|reason| reason.code).collect(),
            _ => Vec::new(),
        }
    }
}

fn open(path: &Path, text: &str) -> Session {
    let document = Document::new(text.to_owned()).unwrap();
    let dir = path.parent().unwrap();
    Session::new("migration.toml".to_owned(), dir, document, Store::open(path).unwrap())
}
