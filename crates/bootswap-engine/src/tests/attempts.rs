//! Which attempts count: those that failed by themselves, and those that were ended by a reset.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::vec;
use std::vec::Vec;

use nor_sim::{Driver, NorMemory};

use super::kit::*;
use crate::{Failure, SourceError, begin, forget_attempts};

type Flash = Driver<NorMemory, 4, 4>;

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A start up to the point at which the engine takes over.
fn start(scene: &mut Scene, log: &mut Log) -> Result<(), u32> {
    let mut flash: Flash = Driver::with_alignment(scene.flash.clone());
    let begun = scene.with_job(|job| {
        // Power is lost in a wait that never ends.
        match poll_once(begin(&mut flash, log, job)) {
            Poll::Ready(Err(Failure::GivenUp { attempts })) => Err(attempts),
            Poll::Ready(Err(failure)) => panic!("{failure}"),
            Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
        }
    });
    scene.flash = flash.into_device();
    begun
}

/// A start at which no file can be fetched.
fn fails(scene: &mut Scene) {
    let faults = (0..6).map(|_| Fault::Fails(SourceError::Connect));
    let (ended, flash, _) = scene.run(&mut scene.server().with(faults));
    assert!(matches!(ended, Err(Failure::Source { .. })), "{ended:?}");
    scene.flash = flash;
}

fn attempt_of(log: &Log) -> Vec<&str> {
    log.lines.iter().map(|line| line.rsplit(' ').next().unwrap_or_default()).collect()
}

#[test]
fn power_lost_in_a_wait_does_not_count() {
    let mut scene = Scene::example();
    fails(&mut scene);
    fails(&mut scene);
    for _ in 0..1000 {
        let mut log = Log { dies_waiting: true, ..Log::default() };
        assert_eq!(start(&mut scene, &mut log), Ok(()));
        assert_eq!(log.delays_ms, [2000], "{:?}", attempt_of(&log));
    }
    scene.migrated();
}

#[test]
fn power_lost_in_an_attempt_does_not_count() {
    let mut scene = Scene::example();
    fails(&mut scene);
    for _ in 0..200 {
        let mut log = Log::default();
        assert_eq!(start(&mut scene, &mut log), Ok(()));
        assert_eq!(log.delays_ms, [1000], "it is the second attempt every time");
    }
    scene.migrated();
}

/// The limit is for devices on which, for example, the radio causes a loss of power at every start.
#[test]
fn power_lost_in_every_attempt_ends_all_the_same() {
    let mut scene = Scene::example();
    let mut starts = 0;
    while start(&mut scene, &mut Log::default()).is_ok() {
        starts += 1;
        assert!(starts < 1000);
    }
    assert_eq!(starts, 257);
    let mut flash: Flash = Driver::with_alignment(scene.flash.clone());
    scene.with_job(|job| {
        let forget = forget_attempts(&mut flash, job);
        assert!(poll_once(forget).is_ready());
    });
    scene.flash = flash.into_device();
    scene.migrated();
}

/// A hang that is ended by a watchdog, or a panic, anywhere after [`begin`].
#[test]
fn attempts_that_a_reset_ends_count() {
    let mut scene = Scene::example();
    let mut waits_ms = vec![];
    let given_up = loop {
        let mut log = Log { follows_reset: true, ..Log::default() };
        match start(&mut scene, &mut log) {
            Ok(()) => waits_ms.extend(log.delays_ms),
            Err(attempts) => break attempts,
        }
    };
    assert_eq!((given_up, waits_ms.len()), (8, 7));
    assert!(waits_ms.iter().is_sorted());
}

/// The count survives a power cut right after it.
#[test]
fn a_hang_counts_though_power_goes_in_the_wait_behind_it() {
    let mut scene = Scene::example();
    assert_eq!(start(&mut scene, &mut Log::default()), Ok(()));
    for _ in 0..3 {
        let mut log = Log { follows_reset: true, dies_waiting: true, ..Log::default() };
        assert_eq!(start(&mut scene, &mut log), Ok(()));
        assert_eq!(log.delays_ms, [1000]);
    }
}
