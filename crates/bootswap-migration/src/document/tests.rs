//! Files as owners write them, in which one value changes and nothing else.

use proptest::prelude::*;

use super::{Document, EditError, KeyPath, Trace};

const COMMENTED: &str = r#"# The fleet in the north.
chip       = "esp32s3"   # module WROOM-1
flash_size = "4MB"

# From the build of 2021.
partitions = 'partitions.csv'

[mcuboot]                                     # the flash map compiled into the target bootloader
primary   = { offset = 0x10000,  size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 } # ota_0
scratch   = { offset = 0x210000, size = 0x40000 }
swap      = "scratch"                         # scratch | move | offset | overwrite
# public_key = "root.pub.pem"                 # key that the bootloader was built with, if any

[app]
file = "app_upd.bin"
  url = "http://192.168.100.101:8070/app_upd.bin"  # the lab's server

# [staging]
# label = "storage"                           # optional

[[artifact]]  # first
file = "a.bin"
dest = 0x300000

# Between the two.

[[artifact]]
file = "b.bin"   # second
dest = 0x310000
# The end.
"#;

fn document(text: &str) -> Document {
    Document::new(text.to_owned()).unwrap()
}

fn path(written: &'static str) -> KeyPath {
    KeyPath::new(written, 0)
}

fn second(written: &'static str) -> KeyPath {
    KeyPath::new(written, 1)
}

/// The text after a change, which must be the text before with `from` replaced by `to`.
fn changes(before: &Document, after: &Document, from: &str, to: &str) {
    assert_eq!(before.text().matches(from).count(), 1, "{from}");
    assert_eq!(after.text(), before.text().replacen(from, to, 1));
}

#[test]
fn values_are_found_however_they_are_written() {
    let document = document(COMMENTED);
    for (written, value) in [
        ("chip", Some("esp32s3")),
        ("partitions", Some("partitions.csv")),
        ("mcuboot.secondary.offset", Some("0x110000")),
        ("mcuboot.public_key", None),
        ("app.url", Some("http://192.168.100.101:8070/app_upd.bin")),
        ("artifact[].file", Some("a.bin")),
        ("staging.label", None),
        ("mcuboot.primary", Some("{ … }")),
    ] {
        assert_eq!(document.get(&path(written)).as_deref(), value, "{written}");
    }
    assert_eq!(document.get(&second("artifact[].file")).as_deref(), Some("b.bin"));
    assert_eq!(document.entries(&path("artifact")), 2);
    assert_eq!(document.entries(&path("network.wifi")), 0);

    let dotted = "mcuboot.swap = \"move\"\nallow = { overwrite = [\"nvs\", 'otadata'] }\n\
                  artifact = [{ file = \"a\" }, { file = \"b\" }]\n";
    let dotted = self::document(dotted);
    assert_eq!(dotted.get(&path("mcuboot.swap")).as_deref(), Some("move"));
    assert_eq!(dotted.get(&path("allow.overwrite")).as_deref(), Some("nvs, otadata"));
    assert_eq!(dotted.get(&second("artifact[].file")).as_deref(), Some("b"));
}

#[test]
fn a_value_is_replaced_and_all_else_stays_byte_for_byte() {
    for (written, value, from, to) in [
        ("chip", "\"esp32\"", "\"esp32s3\"", "\"esp32\""),
        ("partitions", "\"p.bin\"", "'partitions.csv'", "\"p.bin\""),
        ("mcuboot.secondary.offset", "0x120000", "0x110000", "0x120000"),
        ("mcuboot.swap", "\"overwrite\"", "= \"scratch\"", "= \"overwrite\""),
        ("artifact[].dest", "1", "0x300000", "1"),
    ] {
        let before = document(COMMENTED);
        let mut after = before.clone();
        after.set(&path(written), value).unwrap();
        changes(&before, &after, from, to);
    }
}

#[test]
fn ends_of_lines_stay_as_they_are() {
    let text = COMMENTED.replace('\n', "\r\n");
    let mut windows = document(&text);
    windows.set(&path("mcuboot.swap"), "\"move\"").unwrap();
    assert_eq!(windows.text(), text.replacen("= \"scratch\"", "= \"move\"", 1));
    windows.set(&path("mcuboot.max_align"), "16").unwrap();
    windows.set(&path("allow.test_image"), "true").unwrap();
    assert_eq!(windows.text().matches('\n').count(), windows.text().matches("\r\n").count());
    assert_eq!(windows.text().matches('\r').count(), windows.text().matches('\n').count());
}

#[test]
fn a_value_that_is_taken_out_becomes_a_comment_and_comes_back() {
    for (written, value) in [
        ("flash_size", "\"4MB\""),
        ("mcuboot.swap", "\"scratch\""),
        ("mcuboot.scratch", "{ offset = 0x210000, size = 0x40000 }"),
        ("app.file", "\"app_upd.bin\""),
        ("artifact[].dest", "0x300000"),
    ] {
        let before = document(COMMENTED);
        let mut after = before.clone();
        after.unset(&path(written), Trace::Comment).unwrap();
        assert_eq!(after.get(&path(written)), None, "{written}");
        assert_eq!(after.text().len(), before.text().len() + 2, "{written}\n{}", after.text());
        if written != "mcuboot.scratch" {
            after.set(&path(written), value).unwrap();
            assert_eq!(after, before, "{written}");
        }
    }
    // Setting a part of an inline table restores all of it.
    let mut scratch = document(COMMENTED);
    scratch.unset(&path("mcuboot.scratch"), Trace::Comment).unwrap();
    scratch.set(&path("mcuboot.scratch.offset"), "0x210000").unwrap();
    assert_eq!(scratch, document(COMMENTED));
}

#[test]
fn a_line_that_was_a_comment_becomes_a_value() {
    let before = document(COMMENTED);
    let mut after = before.clone();
    after.set(&path("mcuboot.public_key"), "\"key.pem\"").unwrap();
    changes(&before, &after, "# public_key = \"root.pub.pem\"", "public_key = \"key.pem\"");

    let mut after = before.clone();
    after.set(&path("staging.label"), "\"ota_1\"").unwrap();
    changes(&before, &after, "# [staging]\n# label = \"storage\"", "[staging]\nlabel = \"ota_1\"");
    after.unset(&path("staging.label"), Trace::Comment).unwrap();
    after.set(&path("staging.label"), "\"storage\"").unwrap();
    after.unset(&path("staging.label"), Trace::Comment).unwrap();
    assert_eq!(after, before);
}

#[test]
fn a_header_comes_back_behind_the_tables_in_it() {
    let text = "[[network.wifi]]\nssid = \"a\"\n\n# [network]\n# hostname = \"b\" # for DHCP\n";
    let mut after = document(text);
    after.set(&path("network.hostname"), "\"c\"").unwrap();
    assert_eq!(
        after.text(),
        text.replace("# [", "[").replace("# hostname = \"b\"", "hostname = \"c\"")
    );
}

#[test]
fn comments_that_only_look_like_values_stay_comments() {
    let text = "# chip = the one on the board\nchip = \"esp32\"\n# running = \"a\" or \"b\"\n";
    let mut after = document(text);
    after.set(&path("running"), "\"factory\"").unwrap();
    let line = "chip = \"esp32\"\n";
    assert_eq!(after.text(), text.replace(line, &format!("{line}running = \"factory\"\n")));

    // The comment belongs to another table than the one that gets the value.
    let text = "[app]\nurl = \"http://a\"\n# [bootloader]\n# file = \"b\"\n";
    let mut after = document(text);
    after.set(&path("app.file"), "\"a\"").unwrap();
    assert_eq!(after.text(), text.replace("# [boot", "file = \"a\"\n# [boot"));
}

#[test]
fn what_is_new_comes_to_the_end_of_its_table() {
    let before = document(COMMENTED);
    let mut after = before.clone();
    after.set(&path("mcuboot.max_align"), "8").unwrap();
    let line =
        "swap      = \"scratch\"                         # scratch | move | offset | overwrite\n";
    changes(&before, &after, line, &format!("{line}max_align = 8\n"));

    let mut after = before.clone();
    after.set(&path("network.rescue.ssid"), "\"rescue\"").unwrap();
    after.set(&path("network.rescue.password"), "\"correct horse\"").unwrap();
    assert!(after.text().starts_with(COMMENTED.trim_end_matches("# The end.\n")));
    let table = "\n[network]\nrescue = { ssid = \"rescue\", password = \"correct horse\" }\n";
    assert!(after.text().contains(table), "{}", after.text());
    assert!(after.text().ends_with("# The end.\n"), "{}", after.text());

    let mut after = before.clone();
    after.set(&path("running"), "\"factory\"").unwrap();
    changes(
        &before,
        &after,
        "partitions = 'partitions.csv'\n",
        "partitions = 'partitions.csv'\nrunning    = \"factory\"\n",
    );
}

#[test]
fn nothing_is_left_of_a_password() {
    let text = "[[network.wifi]]\nssid = \"a\"\npassword = \"correct horse\" # secret\n\n\
                [network]\nrescue = { ssid = \"b\", password = \"battery staple\" }\n";
    let mut after = document(text);
    after.unset(&path("network.wifi[].password"), Trace::Nothing).unwrap();
    after.unset(&path("network.rescue.password"), Trace::Nothing).unwrap();
    assert_eq!(
        after.text(),
        "[[network.wifi]]\nssid = \"a\"\n\n[network]\nrescue = { ssid = \"b\" }\n"
    );
}

#[test]
fn entries_come_and_go() {
    let before = document(COMMENTED);
    let mut after = before.clone();
    assert_eq!(after.add_entry(&path("artifact")), Ok(2));
    after.set(&KeyPath::new("artifact[].file", 2), "\"c.bin\"").unwrap();
    assert!(
        after.text().contains("dest = 0x310000\n\n[[artifact]]\nfile = \"c.bin\"\n"),
        "{}",
        after.text()
    );
    assert!(after.text().ends_with("# The end.\n"), "{}", after.text());
    after.remove_entry(&path("artifact"), 0).unwrap();
    assert_eq!(after.entries(&path("artifact")), 2);
    assert!(!after.text().contains("a.bin") && after.text().contains("# Between the two."));
    assert_eq!(after.get(&path("artifact[].file")).as_deref(), Some("b.bin"));

    let mut first = before.clone();
    assert_eq!(first.add_entry(&path("network.wifi")), Ok(0));
    first.set(&path("network.wifi[].ssid"), "\"fleet\"").unwrap();
    assert!(first.text().contains("\n[[network.wifi]]\nssid = \"fleet\"\n"), "{}", first.text());
    first.set(&path("network.hostname"), "\"sensor\"").unwrap();
    assert_eq!(first.get(&path("network.hostname")).as_deref(), Some("sensor"));
    assert_eq!(first.get(&path("network.wifi[].ssid")).as_deref(), Some("fleet"));

    let mut braces = document("artifact = [{ file = \"a\" }]\n");
    assert_eq!(braces.add_entry(&path("artifact")), Ok(1));
    braces.set(&second("artifact[].file"), "\"b\"").unwrap();
    braces.remove_entry(&path("artifact"), 0).unwrap();
    assert_eq!(braces.get(&path("artifact[].file")).as_deref(), Some("b"));
}

#[test]
fn tables_of_every_kind_take_values() {
    for text in [
        "mcuboot.swap = \"move\"\nchip = \"esp32\"\n",
        "mcuboot = { swap = \"move\" }\n",
        "[mcuboot]\nswap = \"move\"",
        "[mcuboot.primary]\noffset = 1\n",
        "",
    ] {
        let mut after = document(text);
        after.set(&path("mcuboot.max_align"), "8").unwrap();
        after.set(&path("mcuboot.scratch.offset"), "0x1000").unwrap();
        after.set(&path("mcuboot.scratch.size"), "0x1000").unwrap();
        assert_eq!(after.get(&path("mcuboot.max_align")).as_deref(), Some("8"), "{text}");
        assert_eq!(after.get(&path("mcuboot.scratch.size")).as_deref(), Some("0x1000"), "{text}");
        for (written, value) in [("mcuboot.swap", "move"), ("mcuboot.primary.offset", "1")] {
            let was = document(text).get(&path(written));
            assert!(was.is_none() || was.as_deref() == Some(value));
            assert_eq!(after.get(&path(written)), was, "{text}");
        }
        after.unset(&path("mcuboot.max_align"), Trace::Comment).unwrap();
        assert_eq!(after.get(&path("mcuboot.max_align")), None, "{text}");
    }
}

#[test]
fn a_value_where_a_table_is_expected_is_left_alone() {
    let mut wrong = document("mcuboot = 1\n");
    let error = wrong.set(&path("mcuboot.swap"), "\"move\"").unwrap_err();
    assert!(matches!(error, EditError::Entangled { .. }), "{error}");
    assert_eq!(wrong.text(), "mcuboot = 1\n");
    assert!(Document::new("chip = ".to_owned()).is_err());
}

/// Fields and values for them.
fn change() -> impl Strategy<Value = (&'static str, Option<&'static str>)> {
    let fields = prop::sample::select(vec![
        ("chip", "\"esp32\""),
        ("running", "\"ota_0\""),
        ("mcuboot.swap", "\"move\""),
        ("mcuboot.public_key", "'k'"),
        ("mcuboot.primary.size", "0x20000"),
        ("mcuboot.scratch.offset", "4096"),
        ("app.url", "\"http://a\""),
        ("app.confirm", "true"),
        ("bootloader.size", "0xf000"),
        ("staging.label", "\"nvs\""),
        ("staging.memory", "true"),
        ("allow.overwrite", "[\"nvs\"]"),
        ("artifact[].name", "\"n\""),
        ("network.hostname", "\"h\""),
        ("network.rescue.ssid", "\"r\""),
        ("log.level", "\"off\""),
    ]);
    (fields, prop::bool::weighted(0.7))
        .prop_map(|((field, value), set)| (field, set.then_some(value)))
}

proptest! {
    /// Whatever is changed, in whatever order: every value that was set is there, every comment
    /// remains, in order.
    #[test]
    fn comments_and_order_outlive_all_changes(
        changes in prop::collection::vec(change(), 1..12),
        windows: bool,
    ) {
        let text = if windows { COMMENTED.replace('\n', "\r\n") } else { COMMENTED.to_owned() };
        let mut document = Document::new(text).unwrap();
        for (field, value) in changes {
            let field = path(field);
            match value {
                Some(value) => {
                    document.set(&field, value).unwrap();
                    prop_assert!(document.get(&field).is_some(), "{}", field);
                }
                None => {
                    document.unset(&field, Trace::Comment).unwrap();
                    prop_assert!(document.get(&field).is_none(), "{}", field);
                }
            }
        }
        let mut rest = document.text();
        for comment in [
            "# The fleet in the north.", "# module WROOM-1", "# From the build of 2021.",
            "# the flash map compiled", "# ota_0", "# scratch | move", "# key that",
            "# the lab's server", "# optional", "# first", "# Between the two.", "# second",
            "# The end.",
        ] {
            let at = rest.find(comment);
            let text = document.text();
            prop_assert!(at.is_some(), "{comment} is lost or out of order in\n{text}");
            rest = &rest[at.unwrap()..];
        }
    }
}
