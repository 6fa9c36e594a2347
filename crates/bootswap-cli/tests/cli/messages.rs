//! Wrong arguments, and their messages: each names the file, what it is, and what to do.

use std::fs;
use std::net::TcpListener;

use crate::program::{MIGRATION, WorkDir, dump};

/// A directory with the example, a folder, an empty file, a text, and bytes of no format.
fn lab() -> WorkDir {
    let lab = WorkDir::new();
    fs::create_dir(lab.path().join("folder")).unwrap();
    lab.write("empty", b"");
    lab.write("text", b"hello\n");
    lab.write("bytes", &[0x80; 5000]);
    lab
}

/// Each file that lies beside a migration, wherever a migration is expected: what it is, and what
/// was expected.
#[test]
fn a_binary_file_in_place_of_a_migration_is_named() {
    let lab = lab();
    lab.write("dump.bin", &dump("factory"));
    lab.write("merged.bin", &dump("factory")[..0x20_0000 - 0x1000]);
    let table = &dump("factory")[0x8000..0x8c00];
    lab.write("table.bin", table);
    lab.write("otadata.bin", &[0xff; 0x2000]);
    lab.write("program.elf", b"\x7fELF\x01\x01\x01\0");
    lab.write("zeros.bin", &[0; 64]);
    lab.write("utf16.toml", b"\xff\xfec\0h\0i\0p\0");
    let cases: [(&str, &str, &str); 9] = [
        ("app_upd.bin", "it is an MCUboot image", "as `file`"),
        ("mcuboot.bin", "it is an ESP image", "as `file`"),
        ("dump.bin", "it is a flash dump", "--flash"),
        ("merged.bin", "it is a factory image", "--flash"),
        ("table.bin", "it is a partition table", "`partitions`"),
        ("otadata.bin", "it is otadata", "TOML file"),
        ("program.elf", "it is an ELF file", "TOML file"),
        ("zeros.bin", "the byte at offset 0 ", "TOML file"),
        ("utf16.toml", "it is UTF-16", "UTF-8"),
    ];
    let commands: [&[&str]; 4] = [&["plan"], &["simulate"], &["pack", "--out", "x"], &["config"]];
    for (file, what, help) in cases {
        for command in commands {
            let said = lab.ends_with(2, &[command, &[file]].concat()).stderr.replace("\n    ", " ");
            for part in [file, "is no migration", what, help] {
                assert!(said.contains(part), "{command:?} {file}, {part}: {said}");
            }
        }
        let said = lab.ends_with(2, &["serve", file]).stderr.replace("\n    ", " ");
        for part in [file, "neither a directory nor a migration", what, "TOML file"] {
            assert!(said.contains(part), "serve {file}, {part}: {said}");
        }
    }
}

/// A migration whose devices could join no network, and have to fetch.
#[test]
fn without_a_network_nothing_is_planned_simulated_served_or_packed() {
    let lab = lab();
    let text = format!("{MIGRATION}\n[network]\nold_credentials = false\n");
    lab.write("migration.toml", text.as_bytes());
    let commands: [&[&str]; 4] = [
        &["plan", "migration.toml"],
        &["simulate", "migration.toml"],
        &["serve", "migration.toml"],
        &["pack", "migration.toml", "--out", "x"],
    ];
    for command in commands {
        let said = lab.ends_with(2, command).stderr;
        for part in ["there is no network that a device could join", "[[network.wifi]]"] {
            assert!(said.contains(part), "{command:?}: {said}");
        }
    }
    // What is embedded needs none.
    let urls = |line: &&str| !line.starts_with("url ");
    let text: Vec<&str> = text.lines().filter(urls).collect();
    lab.write("migration.toml", text.join("\n").as_bytes());
    lab.ends_with(0, &["plan", "migration.toml"]);
    lab.ends_with(0, &["simulate", "migration.toml"]);
}

#[test]
fn what_is_given_by_mistake_is_named() {
    let lab = lab();
    let cases: [(&[&str], &[&str]); 24] = [
        (&["plan", "folder"], &["cannot read folder", "name a file; that is a directory"]),
        (&["plan", "none"], &["cannot read none", "check the path\n"]),
        (&["plan", "text/none"], &["cannot read text/none", "check the path\n"]),
        (&["plan", "empty"], &["empty is empty", "bootswap config"]),
        (&["plan", "bytes"], &["bytes is no migration, which is a text", "offset 0", "--flash"]),
        (&["simulate", "app_upd.bin"], &["app_upd.bin is no migration", "--flash"]),
        (&["pack", "mcuboot.bin", "--out", "x"], &["mcuboot.bin is no migration"]),
        (&["plan", "text"], &["text: not valid TOML", "text:1:6"]),
        (&["plan", "migration.toml", "--flash", "folder"], &["cannot read folder", "directory"]),
        (
            &["plan", "migration.toml", "--flash", "empty"],
            &["empty: 0x0 bytes are not a flash size"],
        ),
        (&["plan", "migration.toml", "--flash", "migration.toml"], &["are not a flash size"]),
        (
            &["plan", "migration.toml", "--migrator", "empty"],
            &["empty: not a complete firmware image"],
        ),
        (&["image", "info", "empty"], &["empty is empty", "something in it"]),
        (&["image", "verify", "text"], &["text: 6 bytes that begin with 68656c6c6f0a"]),
        (&["image", "info", "folder"], &["cannot read folder", "that is a directory"]),
        (&["serve", "bytes"], &["bytes is neither a directory nor a migration", "their directory"]),
        (&["serve", "none"], &["cannot read none", "check the path\n"]),
        (&["serve", "migration.toml", "--also", "folder"], &["--also folder is not a file"]),
        (
            &["pack", "migration.toml", "--firmware", "text", "--out", "none/x"],
            &["none/x is not written: there is no directory none", "nothing was written"],
        ),
        (
            &["simulate", "migration.toml", "--out", "none/x"],
            &["none/x is not written: there is no directory none"],
        ),
        (&["simulate", "migration.toml", "--out", "folder"], &["folder is not written"]),
        (&["simulate", "migration.toml", "--out", "text/x"], &["text/x", "check the path"]),
        (&["image", "confirm", "empty", "--out", "x"], &["empty: image header: 0 bytes"]),
        (&["image", "sign", "none", "-o", "x", "-S", "1M", "-v", "1.2.3"], &["cannot read none"]),
    ];
    for (args, parts) in cases {
        let ended = lab.ends_with(2, args);
        assert_eq!(ended.stdout, "", "{args:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{args:?}: {part}\n{}", ended.stderr);
        }
        assert!(!ended.stderr.contains(".part"), "{}", ended.stderr);
    }
}

/// Wrong files in a migration, and numbers that are not possible.
#[test]
fn what_a_migration_names_by_mistake_is_named() {
    let lab = lab();
    let partitions = "partitions = \"partitions.csv\"";
    let cases = [
        (partitions, "partitions = \"folder\"", "partitions: cannot read"),
        (partitions, "partitions = \"empty\"", "partitions: empty is empty"),
        (partitions, "partitions = \"bytes\"", "partitions: bytes: partition table"),
        (partitions, "partitions = \"migration.toml\"", "partition table, line 2"),
        ("\"app_upd.bin\"", "\"folder\"", "app.file: cannot read"),
        ("\"app_upd.bin\"", "\"empty\"", "app.file: empty is empty"),
        ("max_align = 8", "max_align = -8", "mcuboot.max_align: the number -8"),
        ("max_align = 8", "max_align = 99999999999999999999", "integer number overflowed"),
        (
            partitions,
            "partition_table_offset = 0xfffff000",
            "partition_table_offset: 0xfffff000 is not the start of a sector",
        ),
        (partitions, "partition_table_offset = 0x1000000", "between the bootloader and 0x1000000"),
    ];
    for (from, to, part) in cases {
        assert!(MIGRATION.contains(from), "{from}");
        lab.write("migration.toml", MIGRATION.replacen(from, to, 1).as_bytes());
        let ended = lab.ends_with(2, &["plan", "migration.toml"]);
        assert!(ended.stderr.contains(part), "{to}: {part}\n{}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_named_as_the_cause() {
    let lab = lab();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for what in ["migration.toml", "folder"] {
        let ended = lab.ends_with(2, &["serve", what, "--listen", &addr]);
        for part in
            [&format!("cannot listen on {addr}"), "another program has that port", "--listen"]
        {
            assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        }
        assert!(!ended.stderr.contains("name a directory"), "{}", ended.stderr);
    }
}

/// A full disk: no part of the file is left, and the message names the disk as the cause.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_as_the_cause() {
    let lab = lab();
    let ended = lab.ends_with(2, &["simulate", "migration.toml", "--out", "/dev/full"]);
    for part in ["cannot write /dev/full", "make room"] {
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
}
