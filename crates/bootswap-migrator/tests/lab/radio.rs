//! The start of a device with a radio, on a fake chip with a fake network card that record what is
//! done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::cell::RefCell;
use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bootswap_config::{Config, LogLevel, NetworkSettings, Section, Storage, Wifi, encode};
use bootswap_engine::Buffers;
use bootswap_migrator::{
    Card, Credentials, Given, Hardware, Identity, JoinError, Joining, Log, LogSink, Migrator,
    Network, Ready, Room, Started, Station, Unwatched, Watched, bring_up, candidates, join, start,
};
use embassy_futures::poll_once;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::{DeviceUnderTest, Files, Parts};

/// What a device did, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    Watchdog,
    Line(String),
    Write,
    Radio,
    Enter(String),
}

/// Everything that was done, by whichever part.
#[derive(Default)]
pub struct Record(RefCell<Vec<Done>>);

impl Record {
    pub fn add(&self, done: Done) {
        self.0.borrow_mut().push(done);
    }

    pub fn all(&self) -> Vec<Done> {
        self.0.borrow().clone()
    }

    pub fn place(&self, is: impl Fn(&Done) -> bool) -> Option<usize> {
        self.0.borrow().iter().position(is)
    }

    pub fn lines(&self) -> String {
        let lines = self.all().into_iter().filter_map(|done| match done {
            Done::Line(line) => Some(line),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn entered(&self) -> Vec<String> {
        let names = self.all().into_iter().filter_map(|done| match done {
            Done::Enter(name) => Some(name),
            _ => None,
        });
        names.collect()
    }
}

impl LogSink for Record {
    fn now_ms(&self) -> u64 {
        0
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        self.add(Done::Line(line.to_string()));
    }
}

/// A flash that records its writes.
struct Recorded<'r, F>(F, &'r Record);

impl<F: ErrorType> ErrorType for Recorded<'_, F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for Recorded<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> NorFlash for Recorded<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.1.add(Done::Write);
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.1.add(Done::Write);
        self.0.write(offset, bytes).await
    }
}

/// The board: only what the recorder does not have.
struct Bench {
    identity: Identity,
    follows_reset: bool,
}

impl Hardware for Bench {
    fn identity(&mut self) -> Identity {
        self.identity
    }

    fn follows_reset(&mut self) -> bool {
        self.follows_reset
    }

    fn feed(&mut self) {}

    async fn delay_ms(&mut self, _: u32) {}

    async fn quiet(&mut self) {}
}

/// A chip of which nothing runs, and the same with a watchdog.
struct Fake<'r, F> {
    flash: F,
    bench: Bench,
    record: &'r Record,
}

struct Guarded<'r, F>(Fake<'r, F>);

impl<'r, F: NorFlash> Unwatched for Fake<'r, F> {
    type Watched = Guarded<'r, F>;

    fn watch(self) -> Guarded<'r, F> {
        self.record.add(Done::Watchdog);
        Guarded(self)
    }
}

impl<'r, F: NorFlash> Watched for Guarded<'r, F> {
    type Flash = Recorded<'r, F>;
    type Board = Bench;

    async fn open(self, _: Log<'_>) -> Option<(Recorded<'r, F>, Bench)> {
        let Fake { flash, bench, record } = self.0;
        Some((Recorded(flash, record), bench))
    }
}

/// What the radio's start does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Radio {
    Runs,
    Fails,
    Hangs,
    Panics,
}

/// The network card, off.
struct Off<'r>(Radio, &'r Record);

impl Card for Off<'_> {
    type Started = ();
    type Error = &'static str;

    async fn start(self, _: &Ready<'_>) -> Result<(), &'static str> {
        self.1.add(Done::Radio);
        match self.0 {
            Radio::Runs => Ok(()),
            Radio::Fails => Err("no calibration data"),
            Radio::Hangs => pending().await,
            Radio::Panics => panic!("the driver asserts"),
        }
    }
}

/// The radio among its access points: name and password of each.
struct Air<'r> {
    access_points: &'r [(&'r str, &'r str)],
    record: &'r Record,
}

impl Station for Air<'_> {
    async fn enter(&mut self, wifi: &Wifi<'_>) -> Result<(), JoinError> {
        let name = wifi.shown_ssid().to_string();
        let found = self.access_points.iter().find(|(ssid, _)| *ssid == name);
        self.record.add(Done::Enter(name));
        match found {
            None => Err(JoinError::NotFound),
            Some((_, password)) if *password != wifi.password() => Err(JoinError::Password),
            Some(_) => Ok(()),
        }
    }

    async fn leave(&mut self) {}
}

/// What is joined, in the order of the firmware.
struct Joined<'r> {
    air: Air<'r>,
    settings: NetworkSettings<'r>,
    old: Option<Wifi<'r>>,
    log: Log<'r>,
    is_up: bool,
}

impl Network for Joined<'_> {
    async fn join(&mut self) -> bool {
        if !self.is_up {
            let candidates = candidates(&self.settings, self.old);
            self.is_up = join(&mut self.air, candidates, self.log).await;
        }
        self.is_up
    }
}

/// How a start of the device ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With a reset of its own.
    Reset,
    /// It hangs, and the watchdog resets it.
    Hung,
    /// It panicked, and the panic handler resets it.
    Panicked,
}

/// The setting of a start.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub radio: Radio,
    pub network: NetworkSettings<'a>,
    pub access_points: &'a [(&'a str, &'a str)],
    pub follows_reset: bool,
}

impl Setting<'_> {
    /// A start after a reset, near the access point of the old firmware.
    pub fn of(radio: Radio) -> Self {
        Setting {
            radio,
            network: NetworkSettings::default(),
            access_points: &[("fleet", "correct horse")],
            follows_reset: true,
        }
    }
}

/// One start of the device, from the old bootloader's jump to a reset.
pub fn turn_on(lab: &mut DeviceUnderTest, setting: Setting<'_>, record: &Record) -> Ended {
    lab.hand_over(|parts| {
        let Parts { flash, identity, migration, files, window } = parts;
        let mut section = Section::empty().bytes().to_vec();
        let log_level = LogLevel::Debug;
        let config = Config { migration, network: setting.network, log_level };
        encode(&config, &mut section).unwrap();
        let (mut storage, mut room) = (Storage::default(), Room::default());
        let mut buffers = Buffers::new();
        let bench = Bench { identity, follows_reset: setting.follows_reset };
        let chip = Fake { flash, bench, record };
        let given = Given {
            section: &section,
            storage: &mut storage,
            room: &mut room,
            buffers: &mut buffers,
            window,
            console: record,
            version: "1.2.3",
            chip: identity.chip,
        };
        let run = async {
            let Some(mut started) = start(chip, given).await else { return };
            let (card, old) = bring_up(Off(setting.radio, record), &mut started).await;
            let old = old.as_ref().and_then(|old: &Credentials| old.wifi().ok());
            let Started { mut flash, mut board, log, buffers, config, mut ready } = started;
            let air = Air { access_points: setting.access_points, record };
            let mut source = match card {
                Some(()) => {
                    let joined = Joined { air, settings: config.network, old, log, is_up: false };
                    Joining::new(joined, Files(&files))
                }
                None => Joining::absent(),
            };
            let (flash, board) = (&mut flash, &mut board);
            let migrator = Migrator { flash, board, log, window, buffers };
            migrator.go_on(&mut ready, &config.migration, &mut source, &mut []).await;
        };
        // Nothing here waits but a radio that hangs.
        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(std::pin::pin!(run)).is_ready()));
        match polled {
            Ok(true) => Ended::Reset,
            Ok(false) => Ended::Hung,
            Err(_) => Ended::Panicked,
        }
    })
}
