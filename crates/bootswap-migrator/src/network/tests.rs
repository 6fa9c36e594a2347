//! Networks that accept the device, and networks that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::convert::Infallible;
use std::cell::RefCell;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootswap_config::LogLevel;
use bootswap_engine::{Flow, Header};
use bootswap_plan::ArtifactIndex;
use embassy_futures::block_on;

use super::*;

#[derive(Default)]
struct CollectedLog(RefCell<Vec<String>>);

impl crate::LogSink for CollectedLog {
    fn now_ms(&self) -> u64 {
        0
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        self.0.borrow_mut().push(line.to_string());
    }
}

/// A radio, and the reaction of each network.
struct Air {
    networks: Vec<(&'static str, Result<(), JoinError>)>,
    entered: Vec<String>,
    left: usize,
}

impl Station for Air {
    async fn enter(&mut self, wifi: &Wifi<'_>) -> Result<(), JoinError> {
        self.entered.push(wifi.shown_ssid().to_string());
        let known = self.networks.iter().find(|(ssid, _)| ssid.as_bytes() == wifi.ssid());
        known.map_or(Err(JoinError::NotFound), |(_, answer)| *answer)
    }

    async fn leave(&mut self) {
        self.left += 1;
    }
}

fn air(networks: &[(&'static str, Result<(), JoinError>)]) -> Air {
    Air { networks: networks.to_vec(), entered: vec![], left: 0 }
}

/// Joins one of these networks; returns whether one accepted the device, and the console's lines.
fn joined(air: &mut Air, ssids: &[&str]) -> (bool, Vec<String>) {
    let console = CollectedLog::default();
    let log = Log::new(&console, LogLevel::Info);
    let candidates = ssids.iter().map(|ssid| Wifi::new(ssid, "password").unwrap());
    let is_in = block_on(join(air, candidates, log));
    (is_in, console.0.into_inner())
}

#[test]
fn after_a_wrong_password_the_next_network_is_tried() {
    let mut air = air(&[("one", Err(JoinError::Password)), ("two", Ok(()))]);
    let (is_in, console) = joined(&mut air, &["one", "two", "three"]);
    assert!(is_in);
    assert_eq!((air.entered, air.left), (vec!["one".to_string(), "two".to_string()], 1));
    let wanted = [
        "I (0) bootswap:       joining the network one",
        "E (0) bootswap: one: access denied; check the password",
        "I (0) bootswap:       joining the network two",
    ];
    assert_eq!(console, wanted);
}

#[test]
fn each_network_that_does_not_let_in_is_told_with_what_to_do() {
    let cases = [
        (JoinError::Settings, "correct [network]"),
        (JoinError::NotFound, "check its name"),
        (JoinError::Password, "check the password"),
        (JoinError::Security, "use WPA or WPA2"),
        (JoinError::Lost, "check that it is in range"),
        (JoinError::Full, "switch another one off"),
        (JoinError::NotLetIn, "check the network's settings"),
        (JoinError::NoAnswer { within_s: 20 }, "no answer within 20 s; check"),
        (JoinError::NoAddress { within_s: 20 }, "check that the network has a DHCP server"),
    ];
    for (error, advice) in cases {
        let mut air = air(&[("one", Err(error))]);
        let (is_in, console) = joined(&mut air, &["one", "elsewhere"]);
        assert!(!is_in, "{error:?}");
        assert_eq!(air.left, 2);
        assert_eq!(console.iter().filter(|line| line.starts_with("E ")).count(), 2, "{console:?}");
        assert!(console[1].contains("one: ") && console[1].contains(advice), "{console:?}");
        assert!(console[3].contains("elsewhere: no such network found"), "{console:?}");
    }
}

/// No networks at all, as if only the old firmware's was to be tried and it had none.
#[test]
fn without_candidates_there_is_no_network() {
    assert_eq!(joined(&mut air(&[]), &[]), (false, vec![]));
}

struct Cable(bool);

impl Network for Cable {
    async fn join(&mut self) -> bool {
        self.0
    }
}

/// Returns an empty file.
struct Nothing;

impl Source for Nothing {
    async fn fetch<K: Sink>(
        &mut self,
        _: &Request<'_>,
        _: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        Ok(())
    }
}

struct Nowhere;

impl Sink for Nowhere {
    type Error = Infallible;

    fn wanted(&self) -> u32 {
        0
    }

    fn begin(&mut self, _: Header) -> Result<(), Infallible> {
        Ok(())
    }

    async fn data(&mut self, _: &[u8]) -> Result<Flow, Infallible> {
        Ok(Flow::Continue)
    }
}

#[test]
fn nothing_is_fetched_without_a_network() {
    let request = Request { artifact: ArtifactIndex(0), name: "app", url: None };
    let fetch =
        |mut source: Joining<Cable, Nothing>| block_on(source.fetch(&request, &mut Nowhere));
    assert_eq!(fetch(Joining::new(Cable(true), Nothing)), Ok(()));
    for source in [Joining::new(Cable(false), Nothing), Joining::absent()] {
        let error = fetch(source).unwrap_err();
        assert_eq!(error, SourceError::NoNetwork);
        assert!(error.to_string().contains("check names, passwords"), "{error}");
    }
}
