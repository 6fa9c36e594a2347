//! Screens of every group and size.

use super::*;

#[test]
fn every_group_is_shown() {
    let mut lab = MenuSession::new();
    for (number, name) in (1..).zip([
        "device",
        "bootloader",
        "application",
        "staging",
        "mcuboot-map",
        "network",
        "trust",
    ]) {
        lab.types(&number.to_string());
        lab.shows(&format!("{name}-80x24"), 80, 24);
    }
}

#[test]
fn the_map_is_beside_the_fields_where_there_is_room() {
    let mut lab = MenuSession::new();
    lab.types("5");
    lab.shows("mcuboot-map-120x36", 120, 36);
    lab.types("m");
    lab.shows("map-80x24", 80, 24);
}

#[test]
fn every_size_of_screen_is_drawn() {
    let mut lab = MenuSession::new();
    lab.goes_to("app.url");
    lab.keys(&[KeyCode::Enter]);
    for (columns, rows) in [(1, 1), (39, 14), (40, 13), (40, 14), (79, 200), (300, 15)] {
        let screen = lab.screen(columns, rows);
        assert_eq!(screen.lines().count(), usize::from(rows));
    }
    lab.shows("too-small", 39, 8);
    lab.shows("smallest", 40, 14);
}

#[test]
fn the_keys_are_told() {
    let mut lab = MenuSession::new();
    lab.types("?");
    lab.shows("keys-80x24", 80, 24);
    lab.types("x");
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
}
