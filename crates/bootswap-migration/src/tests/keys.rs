//! The reader accepts the keys of the table and no others.

use crate::check;
use crate::keys::{Shape, all};

/// A file in which only that key is set, to that value.
fn with(path: &str, value: &str) -> String {
    let lists: Vec<&str> = path.split_inclusive("[]").collect();
    match lists.as_slice() {
        [list, key] => {
            let (list, key) = (list.trim_end_matches("[]"), key.trim_start_matches('.'));
            format!("[[{list}]]\n{key} = {value}\n")
        }
        _ => format!("{path} = {value}\n"),
    }
}

#[test]
fn a_value_of_another_kind_is_refused_for_every_key() {
    for key in all() {
        let (value, wanted) = match key.kind.shape() {
            Shape::Text => ("1", "expected a text"),
            Shape::Number => ("\"1\"", "expected a number"),
            Shape::Truth => ("\"true\"", "expected true or false"),
            Shape::Texts => ("\"nvs\"", "expected a list of texts"),
        };
        let before = if key.path == "chip" { "" } else { "chip = \"esp32\"\n" };
        // Adds what else is required, so that only the value is wrong.
        let needs_artifact = !["mcuboot", "bootloader"].iter().any(|t| key.path.starts_with(t));
        let artifact = if needs_artifact { "bootloader.url = \"http://a\"\n" } else { "" };
        let slots: String = ["primary", "secondary", "scratch"]
            .iter()
            .filter(|slot| {
                key.path.starts_with("mcuboot.") && !key.path.contains(&format!(".{slot}."))
            })
            .map(|slot| format!("mcuboot.{slot} = {{ offset = 0, size = 1 }}\n"))
            .collect();
        let text = format!("{before}{artifact}{slots}{}", with(key.path, value));
        let problem = check(&text).unwrap();
        assert_eq!(problem.field, key.path.replace("[]", "[0]"), "{text}{problem:?}");
        assert!(problem.message.starts_with(wanted), "{text}{problem:?}");
    }
}

#[test]
fn a_choice_is_accepted_for_every_key_that_has_some() {
    for key in all().filter(|key| key.kind.shape() == Shape::Text) {
        for choice in key.kind.choices() {
            let text = with(key.path, &format!("\"{choice}\""));
            let problem = check(&text).unwrap();
            assert_ne!(problem.field, key.path, "{text}{problem:?}");
        }
    }
}
