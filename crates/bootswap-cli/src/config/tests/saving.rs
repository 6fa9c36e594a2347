//! Saving, and files that change on disk.

use super::*;

#[test]
fn leaving_asks_about_what_is_not_saved() {
    let mut lab = MenuSession::new();
    lab.goes_to("allow.test_image");
    lab.types(" q");
    lab.shows("leaving-80x24", 80, 24);
    lab.keys(&[KeyCode::Esc]);
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(lab.session.key(interrupt), Next::Go);
    assert_eq!(lab.press(KeyCode::Char('n')), Next::End);
    assert_eq!(lab.file(), MIGRATION);

    lab.types("q");
    assert_eq!(lab.press(KeyCode::Char('y')), Next::End);
    assert!(lab.file().contains("test_image = true"));
}

#[test]
fn a_file_that_somebody_else_changes_is_noticed() {
    let mut lab = MenuSession::new();
    let theirs = MIGRATION.replace("0xf000", "0xe000");
    // No change of the menu would be lost, so it is read again.
    fs::write(lab.path(), &theirs).unwrap();
    lab.session.look_at_disk();
    assert_eq!(lab.session.menu().text(), theirs);
    assert!(!lab.session.menu().is_modified());

    lab.goes_to("allow.test_image");
    lab.types(" ");
    fs::write(lab.path(), MIGRATION).unwrap();
    lab.session.look_at_disk();
    assert!(lab.session.menu().message().unwrap().is_error);
    lab.types("s");
    lab.shows("changed-on-disk-80x24", 80, 24);
    assert_eq!(lab.file(), MIGRATION);
    lab.keys(&[KeyCode::Esc]);
    lab.types("so");
    assert!(lab.file().contains("test_image = true") && lab.file().contains("0xe000"));

    lab.types(" ");
    fs::write(lab.path(), MIGRATION).unwrap();
    lab.types("sr");
    assert_eq!(lab.session.menu().text(), MIGRATION);
    // The text of the menu is not lost.
    lab.types("u");
    assert!(lab.session.menu().text().contains("test_image = false"));
}
