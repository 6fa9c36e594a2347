//! The book's JSON schemas: made from the program's types, and true of what it prints.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bootswap_migration::plan::{DevicePlans, FleetPlans};
use bootswap_sim::Report;
use conformance::walk_through::program;
use conformance::workspace_root;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// Environment variable: with `BOOTSWAP_BOOK=write` the test updates the book's schemas instead of
/// comparing them. Read the changes before you commit them.
const WRITE_ENV: &str = "BOOTSWAP_BOOK";

fn schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// The schemas by the names of their places in the book.
fn schemas() -> [(&'static str, Schema); 3] {
    [
        ("plan", schema::<DevicePlans>()),
        ("fleet", schema::<FleetPlans>()),
        ("simulate", schema::<Report>()),
    ]
}

fn chapter() -> PathBuf {
    workspace_root().join("docs/src/json.md")
}

#[test]
fn the_schemas_of_the_book_are_those_of_the_program() {
    let text = fs::read_to_string(chapter()).unwrap();
    let mut wanted = String::new();
    let mut rest = text.as_str();
    for (name, schema) in schemas() {
        let start = format!("<!-- schema of {name} -->\n");
        let (before, behind) = rest.split_once(&start).unwrap_or_else(|| panic!("no {start:?}"));
        let (_, after) = behind.split_once("<!-- end -->").unwrap();
        let schema = serde_json::to_string_pretty(&schema).unwrap();
        wanted += &format!("{before}{start}\n```json\n{schema}\n```\n\n<!-- end -->");
        rest = after;
    }
    wanted += rest;
    if std::env::var_os(WRITE_ENV).is_some_and(|value| value == "write") {
        fs::write(chapter(), &wanted).unwrap();
    } else {
        assert!(text == wanted, "{WRITE_ENV}=write writes the schemas anew");
    }
}

/// What in `value` does not match the schema, in words.
fn wrong(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let place = name.strip_prefix('#').unwrap();
        let mut found = wrong(root, root.pointer(place).unwrap(), value, at);
        if let Some(keys) = schema.as_object().filter(|keys| keys.contains_key("properties")) {
            found.extend(wrong(root, &without_ref(keys), value, at));
        }
        return found;
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            // Keys that stand beside the choices belong to each of them.
            let beside = schema["properties"].as_object().into_iter().flat_map(|keys| keys.keys());
            let beside: Vec<String> =
                beside.map(|key| format!("{at}.{key} is not in the schema")).collect();
            let found = choices.iter().map(|schema| {
                let found = wrong(root, schema, value, at).into_iter();
                found.filter(|what| !beside.contains(what)).collect::<Vec<_>>()
            });
            let best = found.min_by_key(Vec::len).unwrap_or_default();
            // Only a schema with properties has more to check.
            if !best.is_empty() || schema["properties"].is_null() {
                return best;
            }
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_of = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    let is_right = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is_of),
        one => is_of(one),
    };
    if !is_right {
        return vec![format!("{at} is a {kind}, the schema says {}", schema["type"])];
    }
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(n, v)| wrong(root, &schema["items"], v, &format!("{at}[{n}]")))
                .collect()
        }
        Value::Object(keys) => {
            let mut found = Vec::new();
            for key in schema["required"].as_array().into_iter().flatten() {
                if !keys.contains_key(key.as_str().unwrap()) {
                    found.push(format!("{at} has no {key}"));
                }
            }
            for (key, value) in keys {
                if let Some(schema) = schema["properties"].get(key) {
                    found.extend(wrong(root, schema, value, &format!("{at}.{key}")));
                } else if !is_described(root, schema, key) {
                    found.push(format!("{at}.{key} is not in the schema"));
                }
            }
            found
        }
        _ => Vec::new(),
    }
}

fn without_ref(keys: &serde_json::Map<String, Value>) -> Value {
    let kept = keys.iter().filter(|(key, _)| *key != "$ref");
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Whether a key is named in one of the alternatives that stand beside the properties.
fn is_described(root: &Value, schema: &Value, key: &str) -> bool {
    ["anyOf", "oneOf", "allOf"].iter().any(|choice| {
        schema[choice].as_array().into_iter().flatten().any(|schema| {
            let schema = match schema["$ref"].as_str() {
                Some(name) => root.pointer(name.strip_prefix('#').unwrap()).unwrap(),
                None => schema,
            };
            schema["properties"].get(key).is_some() || is_described(root, schema, key)
        })
    })
}

/// What the program prints with these arguments, whatever its verdict.
fn printed(dir: &Path, args: &[&str]) -> Value {
    let output = Command::new(program()).current_dir(dir).args(args).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}\n{output:?}"))
}

#[test]
fn what_the_program_prints_is_as_its_schema_says() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Command::new(program()).args(["demo", "--out"]).arg(dir.path().join("lab")).output();
    assert!(demo.unwrap().status.success());
    let lab = dir.path().join("lab");
    let text = fs::read_to_string(lab.join("migration.toml")).unwrap();
    fs::write(lab.join("refused.toml"), text.replace("4MB", "8MB")).unwrap();
    let dump = ["--flash", "before.bin"];
    let sweeps = ["--power-cuts", "4", "--torn", "--flash-faults", "4", "--network-faults", "4"];
    let plan = ["plan", "migration.toml", "--json"];
    let simulate = ["simulate", "migration.toml", "--json"];
    let cases: [(&str, Vec<&str>); 9] = [
        ("plan", plan.to_vec()),
        ("plan", [&plan[..], &dump].concat()),
        ("plan", ["plan", "refused.toml", "--json"].to_vec()),
        ("fleet", [&plan[..], &dump, &["before.bin", "none.bin"]].concat()),
        ("simulate", simulate.to_vec()),
        ("simulate", [&simulate[..], &dump, &["--until", "reboot"]].concat()),
        ("simulate", [&simulate[..], &sweeps].concat()),
        ("simulate", [&simulate[..], &["--replay", "cut:9:after"]].concat()),
        ("simulate", [&simulate[..], &["--fault", "status=404"]].concat()),
    ];
    let schemas = schemas();
    for (name, args) in cases {
        let (_, schema) = schemas.iter().find(|(found, _)| *found == name).unwrap();
        let schema = schema.as_value();
        let found = wrong(schema, schema, &printed(&lab, &args), name);
        assert!(found.is_empty(), "{args:?}: {found:#?}");
    }
    // The check finds what is wrong.
    let (_, schema) = &schemas[2];
    let found = wrong(schema.as_value(), schema.as_value(), &serde_json::json!({ "no": 1 }), "x");
    assert!(found.iter().any(|what| what.contains("x.no is not in the schema")), "{found:?}");
    assert!(found.iter().any(|what| what.contains("x has no \"outcome\"")), "{found:?}");
}
