//! Arbitrary texts that nobody would write.

use super::*;

/// Values of every kind, most of them wrong at the place where they are inserted.
fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "\"[ -~&&[^\"\\\\]]{0,12}\"",
        Just("\"esp32\"".to_owned()),
        Just("\"http://a\"".to_owned())
    ];
    let number = prop_oneof!["-?[0-9]{1,20}", "0x[0-9a-f]{1,9}"].prop_map(|n| {
        // Leading zeros are not valid TOML.
        let digits = n.trim_start_matches('-').trim_start_matches('0');
        if n.starts_with("0x") || digits.is_empty() { n } else { digits.to_owned() }
    });
    let leaf = prop_oneof![
        text,
        number,
        Just("true".to_owned()),
        Just("1.5".to_owned()),
        Just("1979-05-27".to_owned())
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::btree_map(key(), inner, 0..3).prop_map(|table| {
                let pairs: Vec<_> =
                    table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 27] = [
        "chip",
        "flash_size",
        "partitions",
        "running",
        "mcuboot",
        "app",
        "bootloader",
        "artifact",
        "staging",
        "allow",
        "primary",
        "secondary",
        "scratch",
        "swap",
        "max_align",
        "public_key",
        "offset",
        "size",
        "name",
        "file",
        "url",
        "dest",
        "confirm",
        "label",
        "memory",
        "test_image",
        "overwrite",
    ];
    prop_oneof![10 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => "[a-z_]{1,8}"]
}

/// A place in the example, and the text that replaces it.
fn edit() -> impl Strategy<Value = (usize, usize, String)> {
    (
        0..EXAMPLE.len(),
        0usize..20,
        prop_oneof![value(), key(), "[\\[\\]{}=\", \n]{0,3}", any::<String>()],
    )
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = from_text(&text, Path::new("/nonexistent"));
    }

    #[test]
    fn no_toml_panics(pairs in prop::collection::btree_map(key(), value(), 0..8)) {
        let text: String = pairs.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if let Err(problem) = from_text(&text, Path::new("/nonexistent")) {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            prop_assert!(!problem.message.is_empty() && !problem.help.is_empty());
        }
    }

    #[test]
    fn no_change_of_the_example_panics(edits in prop::collection::vec(edit(), 1..3)) {
        let mut text = EXAMPLE.to_owned();
        for (at, len, replacement) in edits {
            let border = |at: usize, text: &str| {
                let at = at.min(text.len());
                (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
            };
            let (start, end) = (border(at, &text), border(at + len, &text));
            text.replace_range(start..end.max(start), &replacement);
        }
        match spec::parse(&text) {
            Ok(spec) => prop_assert!(!spec.migration.artifacts.is_empty()),
            // The message is shown with its lines, whatever they are.
            Err(problem) => {
                let failure = LoadError::new(problem, Path::new("migration.toml"), &text);
                let shown = format!("{:?}", miette::Report::new(failure));
                prop_assert!(shown.contains("migration.toml"));
            }
        }
    }
}
