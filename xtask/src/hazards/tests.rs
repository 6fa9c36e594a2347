//! The list against the sources and the page, in every run of the tests.

use super::*;

/// That the tests fail without them is what `cargo xtask hazards` shows.
#[test]
fn every_prevention_and_its_tests_are_where_the_list_says() {
    let hazards = list::read().unwrap();
    list::check(&hazards, &source).unwrap();
    assert_eq!(hazards.hazard.len(), 32);
    assert!(hazards.preventions().count() > 50, "{}", hazards.preventions().count());
}

#[test]
fn a_list_that_is_wrong_is_told() {
    let list = |text: &str, without: &str, test: &str| {
        let list = format!(
            "[[hazard]]\nnumber = 1\nwhat = ''\nanswer = ''\n\
             [[hazard.prevention]]\nname = 'one'\nrule = ''\nfile = 'a.rs'\n\
             text = '{text}'\nwithout = '{without}'\ntests = ['crates/a/b.rs {test}']"
        );
        let hazards: Hazards = toml::from_str(&list).unwrap();
        let checked = list::check(&hazards, &|_| Ok("a a b fn held() {}".to_owned()));
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(list("b", "TAKEN_OUT", "held"), Ok(()));
    let cases = [
        (list("a", "TAKEN_OUT", "held"), "its text is in a.rs 2 times"),
        (list("c", "TAKEN_OUT", "held"), "its text is in a.rs 0 times"),
        (list("b", "", "held"), "has no switch"),
        (list("b", "TAKEN_OUT", "other"), "has no test other"),
    ];
    for (found, wanted) in cases {
        assert!(found.clone().is_err_and(|text| text.contains(wanted)), "{found:?}");
    }
}

/// With `BOOTSWAP_BOOK=write` the test writes the page instead of comparing it.
#[test]
fn the_page_is_that_of_the_list() {
    let page = source(page::FILE).unwrap();
    let wanted = page::update(&page, &list::read().unwrap()).unwrap();
    if std::env::var_os("BOOTSWAP_BOOK").is_some_and(|value| value == "write") {
        fs::write(workspace::root().unwrap().join(page::FILE), wanted).unwrap();
    } else {
        assert!(page == wanted, "BOOTSWAP_BOOK=write writes {} anew", page::FILE);
    }
}
