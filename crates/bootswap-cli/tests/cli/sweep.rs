//! `bootswap simulate` with sweeps.

use serde_json::Value;

use crate::program::WorkDir;

/// Runs `bootswap simulate migration.toml` with more arguments, and wants that status.
fn simulate(lab: &WorkDir, status: i32, more: &[&str]) -> crate::program::Ended {
    lab.ends_with(status, &[&["simulate", "migration.toml"], more].concat())
}

#[test]
fn power_cuts_are_counted_under_stable_keys() {
    let lab = WorkDir::new();
    let sample = ["--power-cuts", "30", "--torn", "--seed", "7", "--json"];
    let json = simulate(&lab, 0, &sample).json();
    assert_eq!(json["outcome"], "target-running");
    let cuts = &json["power_cuts"];
    assert_eq!((&cuts["cases"], &cuts["failed"]), (&30.into(), &0.into()));
    let count = |key: &str| cuts[key].as_u64().unwrap();
    assert_eq!(count("recovered") + count("lost_in_commit_window"), 30);
    assert!(count("lost_in_commit_window") <= count("in_commit_window"));
    assert!(cuts["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!((&cuts["seed"], &cuts["torn"]), (&7.into(), &true.into()));
    assert_eq!((&cuts["second_cuts"], &cuts["failures"]), (&Value::Null, &Value::Array(vec![])));
    assert!(cuts["downloaded_again_bytes"]["most"].as_u64().unwrap() <= 12_288);
    for key in ["flash_faults", "network_faults", "replayed"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
}

#[test]
fn what_is_not_asked_for_is_null() {
    let json = simulate(&WorkDir::new(), 0, &["--json"]).json();
    for key in ["power_cuts", "flash_faults", "network_faults", "replayed"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
    let json = simulate(&WorkDir::new(), 0, &["--json", "--power-cuts", "none"]).json();
    assert_eq!(json["power_cuts"], Value::Null);
}

#[test]
fn second_cuts_and_other_faults_are_told_in_words() {
    let lab = WorkDir::new();
    let ended = simulate(
        &lab,
        0,
        &[
            &["--power-cuts", "10", "--depth", "2", "--flash-faults", "10"][..],
            &["--network-faults", "10", "--jobs", "1"],
        ]
        .concat(),
    );
    for part in [
        "power cuts                              20 cases in",
        "and again while it recovers",
        "pairs, picked at random of",
        "flash faults                            10 cases in",
        "network faults                          10 cases in",
    ] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
}

#[test]
fn a_server_that_fails_each_time_is_part_of_every_life() {
    let lab = WorkDir::new();
    let faults = ["--fault", "/app_upd.bin:drop=3000*1", "--power-cuts", "15", "--json"];
    let json = simulate(&lab, 0, &faults).json();
    assert_eq!(
        (&json["power_cuts"]["cases"], &json["power_cuts"]["failed"]),
        (&15.into(), &0.into())
    );
}

#[test]
fn a_case_is_replayed_and_told() {
    let lab = WorkDir::new();
    let twice = simulate(&lab, 0, &["--replay", "cut:9:middle:3,cut:2:after"]);
    assert_eq!(
        twice.stderr.matches("power lost at flash operation").count(),
        2,
        "{}",
        twice.stderr
    );
    assert!(
        twice.stdout.contains("replayed           cut:9:middle:3,cut:2:after\n"),
        "{}",
        twice.stdout
    );

    let json = simulate(&lab, 0, &["--until", "reboot", "--json"]).json();
    let flash = &json["flash"];
    let keys = ["erase_4k", "erase_32k", "erase_64k", "pages_programmed"];
    let operations: u64 = keys.iter().map(|key| flash[key].as_u64().unwrap()).sum();
    let in_window = format!("cut:{}:before", operations - 2);
    let lost = simulate(&lab, 1, &["--replay", &in_window, "--json"]).json();
    assert_eq!(lost["outcome"], "bricked");
    let missing = Value::Null;
    let replayed =
        serde_json::json!({ "case": in_window, "in_commit_window": true, "missing": missing });
    assert_eq!(lost["replayed"], replayed);

    let never = simulate(&lab, 2, &["--replay", "cut:1000000:before"]);
    assert!(never.stderr.contains("numbered from 0"), "{}", never.stderr);
}

#[test]
fn a_migration_that_does_not_reach_its_target_is_not_swept() {
    let lab = WorkDir::new();
    let ended = simulate(&lab, 1, &["--fault", "html", "--power-cuts", "all", "--json"]);
    assert_eq!(ended.json()["power_cuts"], Value::Null);
    assert!(ended.stderr.contains("no sweep is run"), "{}", ended.stderr);
}

#[test]
fn what_makes_no_sense_together_is_a_usage_error() {
    let lab = WorkDir::new();
    for (args, part) in [
        (&["--torn"][..], "--power-cuts"),
        (&["--depth", "2"], "--power-cuts"),
        (&["--power-cuts", "all", "--depth", "3"], "1..=2"),
        (&["--power-cuts", "some"], "nor a number of cases"),
        (&["--flash-faults", "0"], "nor a number of cases"),
        (&["--power-cuts", "all", "--online"], "--online"),
        (&["--replay", "cut:1:sideways"], "cut:OP:before"),
        (&["--replay", "cut:1:before", "--power-cuts", "3"], "--power-cuts"),
        (&["--jobs", "0", "--power-cuts", "3"], "--jobs"),
    ] {
        let ended = simulate(&lab, 2, args);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
}
