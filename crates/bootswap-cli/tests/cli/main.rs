//! The built program: what it prints where, and the status it ends with.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod advice;
mod assumed;
mod carrier;
mod config;
mod dumps;
mod image;
mod messages;
mod pack;
mod plan;
mod program;
mod serve;
mod sweep;
mod writing;

use program::{WorkDir, bootswap};

#[test]
fn usage_errors_are_status_2_and_on_stderr() {
    let lab = WorkDir::new();
    for (args, part) in [
        (&["plna"][..], "'plan'"),
        (&["plan"], "<MIGRATION.toml>"),
        (&["demo", "--chip", "esp8266"], "esp32 esp32s2 esp32s3 esp32c3 esp32c6 esp32h2"),
        (&["serve", ".", "--fault", "fire"], "fault kind \"fire\""),
        (&["image", "sign", "a", "-o", "b", "-S", "1M", "-v", "1.2.x"], "1.2.3+4"),
        (&["image", "sign", "a", "-o", "b", "-S", "1X", "-v", "1.2"], "0x100000, 1048576"),
        (&["simulate", "m.toml", "--until", "never"], "reboot, boot"),
    ] {
        let ended = lab.run(args);
        assert_eq!(ended.status, 2, "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
}

#[test]
fn help_and_version_are_data() {
    let lab = WorkDir::new();
    let help = lab.run(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for command in ["demo", "plan", "config", "simulate", "image", "serve", "Exit status:"] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
    }
    let version = lab.run(&["--version"]);
    assert_eq!(version.stdout.trim(), format!("bootswap {}", env!("CARGO_PKG_VERSION")));
}

/// As with `bootswap ... | head -0`.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    use std::process::Stdio;
    let lab = WorkDir::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut plan = bootswap(lab.path());
    plan.args(["plan", "migration.toml"]).stdout(writer).stderr(Stdio::piped());
    let ended = plan.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
    // The same for stderr, both of a command that succeeds and of one that fails.
    for (status, args) in [
        (0, &["simulate", "migration.toml", "--out", "after.bin"][..]),
        (2, &["plan", "none.toml"]),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = bootswap(lab.path()).args(args).stderr(writer).output().unwrap();
        assert_eq!(ended.status.code(), Some(status), "{args:?}");
    }
    assert_eq!(lab.read("after.bin").len(), 0x40_0000);
}
