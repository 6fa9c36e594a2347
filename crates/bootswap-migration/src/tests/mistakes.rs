//! Messages about wrong files.

use super::*;

#[test]
fn mistakes_are_answered_with_field_place_and_remedy() {
    let lab = ExampleDir::new();
    // Change of the example; then field, marked text, and parts of message and help.
    let cases = [
        ("chip  ", "chips ", ("chips", "chips", "no such key", "did you mean `chip`?")),
        ("swap  ", "sawp  ", ("mcuboot.sawp", "sawp", "no such key", "`swap`")),
        (
            "size = 0x40000",
            "length = 1",
            ("mcuboot.scratch.length", "length", "no such key", "offset, size"),
        ),
        (
            "file   = \"mcu",
            "xyzzy = \"mcu",
            ("bootloader.xyzzy", "xyzzy", "no such key", "file, url, size"),
        ),
        (
            "\"esp32s3\"",
            "\"esp32p4\"",
            ("chip", "\"esp32p4\"", "found \"esp32p4\"", "esp32 esp32s2 esp32s3"),
        ),
        ("\"esp32s3\"", "32", ("chip", "32", "expected a text, found integer", "\"text\"")),
        ("chip       = \"esp32s3\"", "", ("chip", "", "missing", "add `chip = \"esp32s3\"`")),
        ("\"4MB\"", "\"3MB\"", ("flash_size", "\"3MB\"", "found \"3MB\"", "1MB 2MB 4MB")),
        ("0x210000", "-5", ("mcuboot.scratch.offset", "-5", "number -5", "32 bits")),
        (
            "0x210000",
            "0x100000000",
            ("mcuboot.scratch.offset", "0x100000000", "0x100000000", "32 bits"),
        ),
        (
            "0x210000",
            "1.5",
            ("mcuboot.scratch.offset", "1.5", "expected a number, found float", "0x10000"),
        ),
        ("0x210000", "0xffffffff", ("mcuboot.scratch.size", "0x40000", "0xffffffff", "smaller")),
        ("0x40000", "0", ("mcuboot.scratch.size", "0", "the size is 0", "how many bytes")),
        (
            "\"scratch\"",
            "\"overwite\"",
            (
                "mcuboot.swap",
                "\"overwite\"",
                "found \"overwite\"",
                "scratch, move, offset, overwrite",
            ),
        ),
        ("scratch   = {", "# {", ("mcuboot.scratch", "[mcuboot]", "missing", "offset = 0x210000")),
        (
            "{ offset = 0x10000,  size = 0x100000 }",
            "0x10000",
            ("mcuboot.primary", "0x10000", "expected a table, found integer", "{ offset"),
        ),
        (
            "file   = \"app_upd.bin\"",
            "confirm = 1",
            ("app.confirm", "1", "expected true or false, found integer", "true"),
        ),
        (
            "url    = \"http://192.168.100.101:8070/a",
            "url = \"ftp://lab/a",
            ("app.url", "\"ftp://lab/app_upd.bin\"", "ftp://lab", "http://"),
        ),
        (
            "file   = \"app_upd.bin\"",
            "size = 1",
            ("app.size", "1", "`size` without `dest`", "leave it out"),
        ),
        ("file   = \"app_upd.bin\"", "dest = 1", ("app.size", "[app]", "missing", "add `size")),
        (
            "size   = 0xf000",
            "name = \"app\"",
            ("bootloader.name", "\"app\"", "second artifact is called \"app\"", "different `name`"),
        ),
        ("[app]", "[[artifact]]", ("artifact[0].dest", "[[artifact]]", "missing", "add `dest")),
        (
            "running    = \"factory\"",
            "staging = { label = \"a\", memory = true }",
            ("staging.label", "\"a\"", "exclude each other", "leave one"),
        ),
        (
            "running    = \"factory\"",
            "allow = { overwrite = [\"nvs\", 1] }",
            ("allow.overwrite", "1", "expected a text", "\"text\""),
        ),
        (
            "running    = \"factory\"",
            "running = \"\"",
            ("running", "\"\"", "the text is empty", "leave the key out"),
        ),
        ("running    = \"factory\"", "running = ", ("", "", "not valid TOML", "toml.io")),
        (
            "running    = \"factory\"",
            "chip = \"esp32\"",
            ("", "chip", "not valid TOML: duplicate key", "toml.io"),
        ),
    ];
    for (from, to, (field, marked, message, help)) in cases {
        let text = EXAMPLE.replacen(from, to, 1);
        let problem = lab.problem(from, to);
        assert_eq!(problem.field, field, "{to}: {problem:?}");
        assert_eq!(text.get(problem.span.clone()), Some(marked), "{to}: {problem:?}");
        assert!(problem.message.contains(message), "{to}: {problem:?}");
        assert!(problem.help.contains(help), "{to}: {problem:?}");
        assert!(!problem.is_unsafe, "{to}: {problem:?}");
    }
}

#[test]
fn a_name_has_to_fit_the_container_of_what_is_embedded() {
    let text = "chip = \"esp32\"\n[bootloader]\nfile = \"mcuboot.bin\"\n\
                name = \"a name of twenty-one b\"";
    let problem = ExampleDir::new().load(text).unwrap_err();
    assert_eq!(problem.field, "bootloader.name");
    assert!(problem.help.contains("20 bytes"), "{problem:?}");
    let with_url = format!("{text}\nurl = \"http://lab/x\"");
    assert!(ExampleDir::new().load(&with_url).is_ok());
}

/// A terminal obeys what follows an escape.
#[test]
fn a_name_is_shown_as_it_is() {
    for (toml, shown) in [("a\\u001b[31m", "\"a\\u{1b}[31m\""), ("a\\nb", "\"a\\nb\"")] {
        let text = EXAMPLE.replace("[bootloader]\n", &format!("[bootloader]\nname = \"{toml}\"\n"));
        let problem = ExampleDir::new().load(&text).unwrap_err();
        assert_eq!(
            (problem.field.as_str(), problem.message),
            ("bootloader.name", format!("found {shown}"))
        );
    }
}

#[test]
fn the_message_shows_the_line() {
    let lab = ExampleDir::new();
    let path = lab.path().join("migration.toml");
    fs::write(&path, EXAMPLE.replace("0x210000", "-5")).unwrap();
    let failure = load(&path).unwrap_err();
    assert!(!failure.is_unsafe());
    let text = failure.to_string();
    assert!(text.contains("migration.toml: mcuboot.scratch.offset: the number -5"), "{text}");
    let shown = format!("{:?}", miette::Report::new(failure));
    assert!(shown.contains("migration.toml:10:24"), "{shown}");

    fs::write(&path, b"chip = \"\xff\"").unwrap();
    let error = load(&path).unwrap_err();
    assert!(!error.is_unsafe() && error.to_string().contains("offset 8 is not UTF-8"), "{error}");
    assert!(load(&lab.path().join("none.toml")).unwrap_err().to_string().contains("none.toml"));
}
