//! `bootswap config`: what it says without a terminal, and in a real one, which tmux provides.

use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::program::{MIGRATION, WorkDir};

#[test]
fn without_a_terminal_there_is_no_menu() {
    let lab = WorkDir::new();
    let ended = lab.ends_with(2, &["config", "migration.toml"]);
    for part in ["the menu needs a terminal", "edit migration.toml with an editor"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    assert_eq!(ended.stdout, "");
    assert_eq!(lab.read("migration.toml"), MIGRATION.as_bytes());
}

#[test]
fn what_cannot_be_opened_is_told_before_anything_else() {
    let lab = WorkDir::new();
    lab.write("broken.toml", b"chip = \n");
    lab.write("binary.toml", b"chip = \"\xff\"");
    let new = ["--chip", "esp32s3", "--partitions", "partitions.csv"];
    for (args, part) in [
        (vec!["config", "none.toml"], "name --chip and --partitions to begin a new migration"),
        (vec!["config", "broken.toml"], "broken.toml:1:8"),
        (vec!["config", "binary.toml"], "byte at offset 8 is not UTF-8"),
        (vec!["config", "new.toml", "--chip", "esp32"], "--partitions"),
        ([&["config", "migration.toml"], &new[..]].concat(), "migration.toml exists already"),
        ([&["config", "new.toml"], &new[..3], &["none.csv"]].concat(), "none.csv"),
        ([&["config", "new.toml"], &new[..3], &["mcuboot.bin"]].concat(), "no text"),
    ] {
        let ended = lab.ends_with(2, &args);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
    assert!(!lab.path().join("new.toml").exists());
    assert_eq!(lab.read("migration.toml"), MIGRATION.as_bytes());
}

#[test]
fn tmux_shows_the_menu_and_the_file_is_saved() {
    let lab = WorkDir::new();
    let mut screen = Screen::start(&lab, "config migration.toml");
    screen.wait_for_all(&["bootswap config  migration.toml", " SAFE "]);
    // The group of the map, the kind of swap, and the one after the one that is set.
    screen.keys(&["5", "End", "Up", "Up", "Up", "Enter"]);
    screen.wait_for("> scratch");
    screen.keys(&["Down"]);
    screen.wait_for("the planner, with this value");
    screen.keys(&["Enter"]);
    screen.wait_for_all(&["(changed)", "relocate"]);
    assert_eq!(lab.read("migration.toml"), MIGRATION.as_bytes());
    screen.keys(&["F2"]);
    screen.wait_for("saved migration.toml");
    screen.keys(&["q"]);
    screen.wait_for("status 0");
    let saved = String::from_utf8(lab.read("migration.toml")).unwrap();
    assert_eq!(saved, MIGRATION.replace("= \"scratch\"", "= \"move\""));
}

#[test]
fn tmux_begins_a_new_file_which_is_written_when_it_is_saved() {
    let lab = WorkDir::new();
    let line = "config fresh.toml --chip esp32c3 --partitions partitions.csv";
    let mut screen = Screen::start(&lab, line);
    screen.wait_for("(new, not saved yet)");
    screen.keys(&["q"]);
    screen.wait_for("Save fresh.toml before leaving?");
    assert!(!lab.path().join("fresh.toml").exists());
    screen.keys(&["y"]);
    screen.wait_for("status 0");
    let text = fs::read_to_string(lab.path().join("fresh.toml")).unwrap();
    assert!(text.contains("chip       = \"esp32c3\""), "{text}");
    lab.ends_with(0, &["plan", "fresh.toml"]);
}

#[test]
fn tmux_gets_its_terminal_back_whatever_the_size() {
    let lab = WorkDir::new();
    let mut screen = Screen::start(&lab, "config migration.toml");
    screen.wait_for(" SAFE ");
    screen.tmux(&["resize-window", "-x", "130", "-y", "40"]);
    screen.wait_for_all(&["flash               today", "secondary: migrator"]);
    screen.tmux(&["resize-window", "-x", "30", "-y", "10"]);
    screen.wait_for("make the window larger");
    screen.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    screen.wait_for(" SAFE ");
    screen.keys(&["C-c"]);
    // What the shell printed before is there again, and typed text is echoed and read by lines.
    screen.wait_for_all(&["before the menu", "status 0"]);
    screen.keys(&["e", "c", "h", "o", "Space", "\"$((6*7))\"", "Enter"]);
    screen.wait_for("\n42\n");
}

/// A terminal of 80 columns and 24 lines in which a shell has run the program.
struct Screen {
    socket: String,
}

/// Names the tmux to use; without it, the one on the PATH.
const TMUX_ENV: &str = "BOOTSWAP_TMUX";

fn program() -> OsString {
    std::env::var_os(TMUX_ENV).unwrap_or_else(|| "tmux".into())
}

/// How often, and at which interval, a screen is read until it shows what it should.
const LOOKS: u32 = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

impl Screen {
    fn start(lab: &WorkDir, line: &str) -> Self {
        // Each test has a server of its own, which ends with its only session.
        let socket = lab.path().join("tmux.socket").to_str().unwrap().to_owned();
        let screen = Self { socket };
        let program = env!("CARGO_BIN_EXE_bootswap");
        let shell = format!("echo before the menu; '{program}' {line}; echo status $?; exec sh");
        let dir = lab.path().to_str().unwrap();
        screen.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "-c", dir, "sh", "-c", &shell]);
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = Command::new(program());
        // No settings of a user, and a terminal whose keys and characters are known.
        tmux.args(["-f", "/dev/null", "-S", &self.socket, "-u"]).args(args);
        tmux.env("TERM", "xterm-256color").env("PS1", "$ ").env_remove("TMUX");
        let output = tmux.output().unwrap_or_else(|error| {
            panic!(
                "tmux is needed to test the menu in a real terminal (apt-get install tmux): {error}"
            )
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&mut self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen shows this, and returns what it shows.
    fn wait_for(&mut self, part: &str) -> String {
        self.wait_for_all(&[part])
    }

    /// The same for more than one part: a screen may be seen while it is drawn.
    fn wait_for_all(&mut self, parts: &[&str]) -> String {
        let mut shown = String::new();
        for _ in 0..LOOKS {
            shown = self.tmux(&["capture-pane", "-p"]);
            if parts.iter().all(|part| shown.contains(part)) {
                return shown;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        panic!("the screen does not show {parts:?}:\n{shown}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut tmux = Command::new(program());
        let _ = tmux.args(["-S", &self.socket, "kill-server"]).output();
    }
}
