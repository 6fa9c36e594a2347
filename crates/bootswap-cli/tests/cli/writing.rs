//! What commands write: never over an input, over other files only if asked to, whole or not at
//! all.

use std::fs;

use mcuboot_format::builder::Padding;

use crate::program::{WorkDir, bootswap, dump, key, target};

/// Runs a command that is refused, and looks at every file afterwards.
fn refused(lab: &WorkDir, args: &[&str], part: &str) {
    let before = contents(lab);
    let ended = lab.ends_with(2, args);
    assert!(ended.stderr.contains(part), "{args:?}: {part}\n{}", ended.stderr);
    assert!(ended.stderr.contains("nothing was written"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(contents(lab) == before, "{args:?} changed a file");
}

fn contents(lab: &WorkDir) -> Vec<(String, Option<Vec<u8>>)> {
    let entries = fs::read_dir(lab.path()).unwrap();
    let mut all: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(&path).ok())
        })
        .collect();
    all.sort();
    all
}

/// All commands that write a file, without its name.
fn commands(lab: &WorkDir) -> Vec<(Vec<String>, Vec<&'static str>)> {
    lab.write("dump.bin", &dump("factory"));
    lab.write("pending.bin", &target(Padding::Pending));
    lab.write("payload.bin", &[0x5a; 0x800]);
    fs::copy(key("ecdsa-p256.pem"), lab.path().join("key.pem")).unwrap();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    let named = ["migration.toml", "partitions.csv", "app_upd.bin", "mcuboot.bin"];
    vec![
        (
            words("simulate migration.toml --flash dump.bin --out"),
            [&named[..], &["dump.bin"]].concat(),
        ),
        (
            words("image sign payload.bin -v 1.0.0 -S 64K --pad-header -k key.pem -o"),
            vec!["payload.bin", "key.pem"],
        ),
        (words("image confirm pending.bin -o"), vec!["pending.bin"]),
    ]
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let lab = WorkDir::new();
    for (command, inputs) in commands(&lab) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        for input in inputs {
            let link = format!("link-to-{input}");
            fs::hard_link(lab.path().join(input), lab.path().join(&link)).unwrap();
            for name in [input, &format!("./{input}"), &link] {
                for force in [&[][..], &["--force"]] {
                    let args = [&args[..], &[name], force].concat();
                    refused(&lab, &args, "it is an input of this command");
                }
            }
            fs::remove_file(lab.path().join(&link)).unwrap();
        }
    }
}

#[test]
fn other_files_are_replaced_only_with_force() {
    let lab = WorkDir::new();
    for (command, _) in commands(&lab) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        let args = [&args[..], &["mine"]].concat();
        lab.write("mine", b"weeks of work");
        refused(&lab, &args, "mine is not written: it exists already");
        lab.ends_with(0, &[&args[..], &["--force"]].concat());
        assert!(lab.read("mine").len() > 0x400, "{args:?}");
    }
}

#[test]
fn the_demo_keeps_an_edited_migration() {
    let lab = WorkDir::new();
    let demo = ["demo", "--chip", "esp32c3", "--out", "."];
    refused(&lab, &demo, "migration.toml is not written: it exists already");
    lab.ends_with(0, &["demo", "--chip", "esp32c3", "--out", "new"]);
    lab.write("new/migration.toml", b"edited");
    let before = fs::metadata(lab.path().join("new/before.bin")).unwrap().modified().unwrap();
    let again = lab.ends_with(2, &["demo", "--chip", "esp32c3", "--out", "new"]);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(lab.read("new/migration.toml"), b"edited");
    let after = fs::metadata(lab.path().join("new/before.bin")).unwrap().modified().unwrap();
    assert_eq!(before, after, "no file was written");
    lab.ends_with(0, &["demo", "--chip", "esp32c3", "--out", "new", "--force"]);
    assert_ne!(lab.read("new/migration.toml"), b"edited");
}

/// A limit on the size of files stands for a full disk: the file cannot be written to its end.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file() {
    let lab = WorkDir::new();
    lab.write("after.bin", b"old");
    let before = contents(&lab);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(lab.path()).env("NO_COLOR", "1").args([
        "-c",
        "ulimit -f 64; exec \"$@\"",
        "sh",
    ]);
    shell.arg(bootswap(lab.path()).get_program());
    let args = ["simulate", "migration.toml", "--out", "after.bin", "--force"];
    let output = shell.args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write after.bin"), "{stderr}");
    assert!(stderr.contains("make room"), "{stderr}");
    assert!(contents(&lab) == before, "the old file is there, and no part of the new one");
}
