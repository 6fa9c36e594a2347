//! The menu driven by keys, and what it shows.
//!
//! Screens are compared with the files in `screens/`; `BOOTSWAP_SCREENS=write` writes them anew, to
//! be read before they are committed.
// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use esp_idf_format::Chip;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tempfile::TempDir;

use super::document::Document;
use super::fields::GROUPS;
use super::judge::Verdict;
use super::menu::{Mode, Row};
use super::session::{Next, Session};
use super::store::Store;
use super::view;

const PARTITIONS: &str = "\
nvs,      data, nvs,     0x9000,  0x4000,
otadata,  data, ota,     0xd000,  0x2000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000, 1M,
ota_0,    app,  ota_0,   ,        1M,
ota_1,    app,  ota_1,   ,        1M,
";

/// The example as `bootswap demo` writes it.
const MIGRATION: &str = r#"# The example: from ESP-IDF to MCUboot with swap using scratch, 4 MB of flash.
chip       = "esp32s3"
flash_size = "4MB"
partitions = "partitions.csv"
running    = "factory"

[mcuboot]
primary   = { offset = 0x10000,  size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 }
scratch   = { offset = 0x210000, size = 0x40000 }
swap      = "scratch"   # as it was built
max_align = 8

[app]
file = "app_upd.bin"
url  = "http://192.168.100.101:8070/app_upd.bin"

[bootloader]
file = "mcuboot.bin"
url  = "http://192.168.100.101:8070/mcuboot.bin"
size = 0xf000
"#;

/// A directory with the example, and a session with it.
struct Lab {
    dir: TempDir,
    session: Session,
}

impl Lab {
    fn new() -> Self {
        Self::with(MIGRATION)
    }

    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("partitions.csv"), PARTITIONS).unwrap();
        let example = bootswap_sim::example(Chip::Esp32s3).unwrap();
        for (artifact, name) in example.artifacts.iter().zip(["app_upd.bin", "mcuboot.bin"]) {
            fs::write(dir.path().join(name), artifact.bytes.as_ref().unwrap()).unwrap();
        }
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

    /// Empties the line that is typed, and types another.
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

    /// Compares the screen with the one in that file.
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
        matches!(self.session.menu().judged().verdict, Verdict::Safe(_))
    }

    fn reasons(&self) -> Vec<&'static str> {
        match &self.session.menu().judged().verdict {
            Verdict::Refused(reasons) => reasons.iter().map(|reason| reason.code).collect(),
            _ => Vec::new(),
        }
    }
}

fn open(path: &Path, text: &str) -> Session {
    let document = Document::new(text.to_owned()).unwrap();
    let dir = path.parent().unwrap();
    Session::new("migration.toml".to_owned(), dir, document, Store::open(path).unwrap())
}

#[test]
fn every_group_is_shown() {
    let mut lab = Lab::new();
    for (number, name) in (1..).zip([
        "device",
        "bootloader",
        "application",
        "staging",
        "mcuboot-map",
        "network",
        "trust",
    ]) {
        lab.types(&number.to_string());
        lab.shows(&format!("{name}-80x24"), 80, 24);
    }
}

#[test]
fn the_map_is_beside_the_fields_where_there_is_room() {
    let mut lab = Lab::new();
    lab.types("5");
    lab.shows("mcuboot-map-120x36", 120, 36);
    lab.types("m");
    lab.shows("map-80x24", 80, 24);
}

#[test]
fn every_size_of_screen_is_drawn() {
    let mut lab = Lab::new();
    lab.goes_to("app.url");
    lab.keys(&[KeyCode::Enter]);
    for (columns, rows) in [(1, 1), (39, 14), (40, 13), (40, 14), (79, 200), (300, 15)] {
        let screen = lab.screen(columns, rows);
        assert_eq!(screen.lines().count(), usize::from(rows));
    }
    lab.shows("too-small", 39, 8);
    lab.shows("smallest", 40, 14);
}

/// The session of an owner whose bootloader turns out to swap otherwise.
#[test]
fn a_change_is_judged_before_it_is_taken_and_saved_alone() {
    let mut lab = Lab::new();
    lab.goes_to("mcuboot.swap");
    assert!(lab.is_safe() && !lab.session.menu().is_modified());
    let strategy = |lab: &Lab| match &lab.session.menu().judged().verdict {
        Verdict::Safe(report) => report.strategy.unwrap_or_default(),
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(strategy(&lab), "secondary-and-swap");
    lab.keys(&[KeyCode::Enter, KeyCode::Down]);
    assert!(lab.session.menu().is_preview());
    assert_eq!(strategy(&lab), "relocate");
    lab.shows("swap-chosen-80x24", 80, 24);
    // As it was, and once more in earnest.
    lab.keys(&[KeyCode::Esc]);
    assert_eq!(strategy(&lab), "secondary-and-swap");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(strategy(&lab), "relocate");
    assert!(lab.session.menu().is_modified());
    assert_eq!(lab.file(), MIGRATION);
    lab.shows("swap-changed-120x36", 120, 36);

    lab.keys(&[KeyCode::F(2)]);
    assert_eq!(lab.file(), MIGRATION.replacen("= \"scratch\"", "= \"move\"", 1));
    assert!(!lab.session.menu().is_modified());
    assert_eq!(lab.press(KeyCode::Char('q')), Next::End);
}

#[test]
fn a_wrong_value_is_told_while_it_is_typed_and_not_taken() {
    let mut lab = Lab::new();
    lab.goes_to("mcuboot.secondary.offset");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("0x11000g");
    lab.shows("wrong-number-80x24", 80, 24);
    lab.keys(&[KeyCode::Enter]);
    assert!(matches!(lab.session.menu().mode(), Mode::Edit(_)));
    assert!(lab.session.menu().message().unwrap().is_error);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    // What can be read is judged before it is taken: the slot would reach into itself.
    lab.retypes("0x20000");
    assert!(lab.session.menu().is_preview());
    assert!(lab.reasons().contains(&"overlap"), "{:?}", lab.reasons());
    lab.keys(&[KeyCode::Enter]);
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
    lab.shows("refused-120x36", 120, 36);
    lab.types("v");
    lab.shows("refused-in-full-80x24", 80, 24);
    lab.keys(&[KeyCode::Esc]);
    lab.types("u");
    assert!(lab.is_safe() && !lab.session.menu().is_modified());
}

#[test]
fn the_parsers_own_words_are_below_the_line() {
    for (field, typed, words) in [
        ("app.url", "ftp://lab/a", "write an address as in"),
        ("mcuboot.primary.size", "0", "the size is 0"),
        ("mcuboot.scratch.size", "0xffffffff", "behind the last address"),
        ("bootloader.size", "1X", "no number of bytes as in 0x100000"),
        ("app.size", "1M", "leave it out, the slot in [mcuboot] has its size"),
        ("bootloader.name", "app", "a second artifact is called"),
        ("network.hostname", "a b", "letters, digits and hyphens"),
        ("network.rescue.ssid", "a name that is longer than 32 bytes", "at most 32"),
        ("network.rescue.password", "short", "8 to 63"),
    ] {
        let mut lab = Lab::new();
        lab.goes_to(field);
        lab.keys(&[KeyCode::Enter]);
        lab.retypes(typed);
        let Mode::Edit(edit) = lab.session.menu().mode() else { panic!("{field}") };
        let problem = edit.problem.clone().unwrap_or_default();
        assert!(problem.contains(words), "{field}: {problem}");
        lab.keys(&[KeyCode::Enter]);
        assert_eq!(lab.session.menu().text(), MIGRATION, "{field}");
    }
}

#[test]
fn units_are_understood() {
    let mut lab = Lab::new();
    lab.goes_to("bootloader.size");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("56K");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION.replace("0xf000", "0xe000"));
}

#[test]
fn a_file_that_is_missing_is_no_obstacle_to_naming_it() {
    let mut lab = Lab::new();
    lab.goes_to("app.file");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("later.bin");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("app.file"));
    let screen = lab.screen(80, 24);
    assert!(screen.contains("\n >!File ") && screen.contains("\n NOT READY app.file:"), "{screen}");
    // It comes to be there, and is looked at on request.
    fs::copy(lab.dir.path().join("app_upd.bin"), lab.dir.path().join("later.bin")).unwrap();
    lab.types("r");
    assert!(lab.is_safe());
}

#[test]
fn likely_values_are_suggested() {
    let mut lab = Lab::new();
    lab.goes_to("staging.label");
    lab.keys(&[KeyCode::Enter]);
    lab.shows("suggestions-80x24", 80, 24);
    lab.keys(&[KeyCode::Up, KeyCode::Enter]);
    let text = lab.session.menu().text();
    assert!(text.ends_with("\n[staging]\nlabel = \"ota_1\"\n"), "{text}");
    lab.goes_to("app.file");
    lab.keys(&[KeyCode::Enter]);
    let Mode::Edit(edit) = lab.session.menu().mode() else { panic!("no line") };
    assert_eq!(edit.suggestions, ["app_upd.bin", "mcuboot.bin", "partitions.csv"]);
    let typed = |lab: &Lab| match lab.session.menu().mode() {
        Mode::Edit(edit) => edit.editor.text(),
        mode => panic!("{mode:?}"),
    };
    // What is typed is completed, and without anything typed one after the other comes.
    lab.retypes("m");
    lab.keys(&[KeyCode::Tab]);
    assert_eq!(typed(&lab), "mcuboot.bin");
    lab.keys(&[KeyCode::Tab]);
    assert_eq!(typed(&lab), "mcuboot.bin");
    lab.retypes("");
    for wanted in ["app_upd.bin", "mcuboot.bin", "partitions.csv", "app_upd.bin"] {
        lab.keys(&[KeyCode::Tab]);
        assert_eq!(typed(&lab), wanted);
    }
    lab.keys(&[KeyCode::BackTab]);
    assert_eq!(typed(&lab), "partitions.csv");
}

#[test]
fn values_are_taken_out_and_come_back() {
    let mut lab = Lab::new();
    lab.goes_to("mcuboot.scratch.size");
    lab.types("d");
    let commented = MIGRATION.replace("\nscratch ", "\n# scratch ");
    assert_eq!(lab.session.menu().text(), commented);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("mcuboot.scratch"));
    lab.keys(&[KeyCode::Enter]);
    lab.types("0x40000");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    lab.goes_to("chip");
    lab.types("d");
    assert_eq!(lab.session.menu().text(), MIGRATION);
    assert!(lab.session.menu().message().unwrap().is_error);
    // An empty line takes a value out, too.
    lab.goes_to("app.url");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("");
    lab.keys(&[KeyCode::Enter]);
    assert!(lab.session.menu().text().contains("# url  = \"http://192.168.100.101:8070/app_upd"));
}

#[test]
fn yes_and_no_are_turned_with_one_key() {
    let mut lab = Lab::new();
    lab.goes_to("allow.test_image");
    lab.types(" ");
    assert!(lab.session.menu().text().ends_with("\n[allow]\ntest_image = true\n"));
    lab.types(" ");
    assert!(lab.session.menu().text().ends_with("\n[allow]\ntest_image = false\n"));
}

#[test]
fn networks_are_added_and_removed_and_passwords_never_shown() {
    let mut lab = Lab::new();
    lab.types("6");
    lab.keys(&[KeyCode::End, KeyCode::Enter, KeyCode::Enter]);
    lab.types("fleet");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("correct horse");
    let typing = lab.screen(80, 24);
    assert!(!typing.contains("correct") && typing.contains(&"•".repeat(13)), "{typing}");
    lab.keys(&[KeyCode::Enter]);
    let text = lab.session.menu().text();
    let entry = "\n[[network.wifi]]\nssid = \"fleet\"\npassword = \"correct horse\"\n";
    assert!(text.ends_with(entry), "{text}");
    assert!(lab.is_safe(), "{:?}", lab.session.menu().judged().verdict);
    let shown = lab.screen(80, 24);
    assert!(shown.contains("fleet") && !shown.contains("correct"), "{shown}");
    lab.types("v");
    assert!(!lab.screen(200, 60).contains("correct"));
    lab.keys(&[KeyCode::Esc]);
    lab.types("x");
    assert!(!lab.session.menu().text().contains("correct"));
}

#[test]
fn other_artifacts_are_added_with_their_fields() {
    let mut lab = Lab::new();
    lab.types("3");
    lab.keys(&[KeyCode::End, KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("partitions.csv");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("artifact[0].dest"));
    lab.keys(&[KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    lab.types("0x320000");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("4K");
    lab.keys(&[KeyCode::Enter]);
    assert!(lab.is_safe(), "{:?}", lab.session.menu().judged().verdict);
    lab.shows("artifact-120x36", 120, 36);
    let text = lab.session.menu().text();
    let entry = "\n[[artifact]]\nfile = \"partitions.csv\"\ndest = 0x320000\nsize = 0x1000\n";
    assert!(text.ends_with(entry), "{text}");
}

#[test]
fn leaving_asks_about_what_is_not_saved() {
    let mut lab = Lab::new();
    lab.goes_to("allow.test_image");
    lab.types(" q");
    lab.shows("leaving-80x24", 80, 24);
    lab.keys(&[KeyCode::Esc]);
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(lab.session.key(interrupt), Next::Go);
    assert_eq!(lab.press(KeyCode::Char('n')), Next::End);
    assert_eq!(lab.file(), MIGRATION);

    lab.types("q");
    assert_eq!(lab.press(KeyCode::Char('y')), Next::End);
    assert!(lab.file().contains("test_image = true"));
}

#[test]
fn a_file_that_somebody_else_changes_is_noticed() {
    let mut lab = Lab::new();
    let theirs = MIGRATION.replace("0xf000", "0xe000");
    // Nothing of ours would be lost: it is read again.
    fs::write(lab.path(), &theirs).unwrap();
    lab.session.look_at_disk();
    assert_eq!(lab.session.menu().text(), theirs);
    assert!(!lab.session.menu().is_modified());

    lab.goes_to("allow.test_image");
    lab.types(" ");
    fs::write(lab.path(), MIGRATION).unwrap();
    lab.session.look_at_disk();
    assert!(lab.session.menu().message().unwrap().is_error);
    lab.types("s");
    lab.shows("changed-on-disk-80x24", 80, 24);
    assert_eq!(lab.file(), MIGRATION);
    lab.keys(&[KeyCode::Esc]);
    lab.types("so");
    assert!(lab.file().contains("test_image = true") && lab.file().contains("0xe000"));

    lab.types(" ");
    fs::write(lab.path(), MIGRATION).unwrap();
    lab.types("sr");
    assert_eq!(lab.session.menu().text(), MIGRATION);
    // What was here is not lost.
    lab.types("u");
    assert!(lab.session.menu().text().contains("test_image = false"));
}

#[test]
fn the_keys_are_told() {
    let mut lab = Lab::new();
    lab.types("?");
    lab.shows("keys-80x24", 80, 24);
    lab.types("x");
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
}

#[test]
fn a_value_of_the_wrong_type_is_marked_and_can_be_mended() {
    let mut lab = Lab::with(&MIGRATION.replace("\"esp32s3\"", "32"));
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("chip"));
    lab.shows("wrong-type-80x24", 80, 24);
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    assert!(lab.is_safe());
}

/// Whatever the parser of migrations knows can be changed in the menu.
#[test]
fn every_key_of_the_parser_has_a_field() {
    let paths: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.fields.iter().chain(group.list.iter().flat_map(|l| l.fields)))
        .map(|field| field.path)
        .collect();
    for table in [
        "",
        "mcuboot.",
        "mcuboot.primary.",
        "app.",
        "bootloader.",
        "staging.",
        "allow.",
        "network.",
        "network.rescue.",
        "log.",
    ] {
        // The parser's answer to a key that nobody knows is those that are known.
        let unknown = format!("{table}qqqqqqqq = 1\nchip = \"esp32\"\n");
        let around = match table {
            "mcuboot.primary." => {
                "mcuboot.secondary = { offset = 0, size = 1 }\n\
                                   mcuboot.scratch = { offset = 0, size = 1 }\n"
            }
            _ => "",
        };
        let known = match table {
            "staging." | "allow." | "network." | "network.rescue." | "log." => {
                format!("{unknown}app.url = \"http://a\"\napp.dest = 0\napp.size = 1\n")
            }
            _ => format!("{unknown}{around}"),
        };
        let problem = bootswap_migration::check(&known).unwrap();
        let keys = problem.help.strip_prefix("the keys here are ");
        let keys = keys.unwrap_or_else(|| panic!("{table}: {problem:?}"));
        for key in keys.split(", ") {
            let name = format!("{table}{key}");
            let is_there = |path: &&str| {
                path.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            assert!(paths.iter().any(is_there), "{name} has no field");
        }
    }
}
