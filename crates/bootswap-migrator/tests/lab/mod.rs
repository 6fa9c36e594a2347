//! A device for the migrator: flash, board, files, and a recorded console.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

pub mod radio;

use std::cell::RefCell;
use std::fmt;
use std::future::pending;

use bootswap_config::{ConfigError, LogLevel};
use bootswap_engine::{Buffers, Header, Request, Source, SourceError, Veto};
use bootswap_migrator::{
    CommitWindow, Hardware, Identity, Joining, Log, LogSink, Migrator, Network, Room,
};
use bootswap_plan::{Allow, Artifact, Blanks, McubootMap, Migration, Origin, Role, Staging};
use device_sim::{
    Board, Device, EspIdfConfig, FlashBuilder, LifeOutcome, McubootConfig, OldData, synthetic,
};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::OtaState;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES, emit};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::{PrivateKey, PublicKey};
use nor_sim::{Driver, Faulty, NorDevice, NorMemory, StuckBits};
use sha2::{Digest, Sha256};

pub const CHIP: Chip = Chip::Esp32c3;
const SLOT_LEN: u32 = 0x10_0000;
pub const MIGRATOR_LEN: u32 = 0x3_0000;

/// A device before its migration, and its state afterwards.
pub struct DeviceUnderTest {
    pub flash: Faulty<NorMemory>,
    board: Board,
    app: Vec<u8>,
    bootloader: Vec<u8>,
    map: McubootConfig,
    running: FlashAddr,
    /// Whether the server can be reached.
    pub online: bool,
    /// Whether a bit of the server's application is wrong.
    pub damaged: bool,
    /// Result of the supply check.
    pub veto: Option<Veto>,
    /// Whether the chip boots only signed bootloaders.
    pub secure_boot: bool,
    /// Whether the starts follow a reset, and not the return of power.
    pub follows_reset: bool,
    /// Whether the start of the radio hangs, or panics.
    pub hangs: bool,
    /// After this many waits, the device is left alone for good.
    pub patience: u32,
    /// The console's lines.
    pub console: CollectedLog,
    pub window: CommitWindow,
    /// Waits so far, in milliseconds.
    pub waits_ms: Vec<u32>,
    /// Whether the radio was switched off.
    pub quiet: bool,
}

/// Records the console.
#[derive(Default)]
pub struct CollectedLog(RefCell<Vec<String>>);

impl CollectedLog {
    pub fn has(&self, words: &str) -> bool {
        self.0.borrow().iter().any(|line| line.contains(words))
    }

    /// Number of lines that contain them.
    pub fn count(&self, words: &str) -> usize {
        self.0.borrow().iter().filter(|line| line.contains(words)).count()
    }

    pub fn text(&self) -> String {
        self.0.borrow().join("\n")
    }
}

impl LogSink for CollectedLog {
    fn now_ms(&self) -> u64 {
        0
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        self.0.borrow_mut().push(line.to_string());
    }
}

struct LabBoard<'a> {
    identity: Identity,
    follows_reset: bool,
    veto: Option<Veto>,
    patience: u32,
    waits_ms: &'a mut Vec<u32>,
    quiet: &'a mut bool,
}

impl Hardware for LabBoard<'_> {
    fn identity(&mut self) -> Identity {
        self.identity
    }

    fn follows_reset(&mut self) -> bool {
        self.follows_reset
    }

    fn feed(&mut self) {}

    async fn delay_ms(&mut self, ms: u32) {
        self.waits_ms.push(ms);
        match self.patience.checked_sub(1) {
            Some(left) => self.patience = left,
            None => pending().await,
        }
    }

    fn supply(&mut self) -> Result<(), Veto> {
        self.veto.map_or(Ok(()), Err)
    }

    async fn quiet(&mut self) {
        *self.quiet = true;
    }
}

/// The server: names and contents.
pub struct Files<'a>(pub &'a [(&'static str, &'a [u8])]);

/// What a start of the device is made of.
pub struct Parts<'a> {
    pub flash: LabFlash<'a>,
    pub identity: Identity,
    pub migration: Migration<'a>,
    pub files: [(&'static str, &'a [u8]); 2],
    pub window: &'a CommitWindow,
}

/// The flash's driver.
pub type LabFlash<'a> = Driver<&'a mut Faulty<NorMemory>, 4, 4>;

impl Source for Files<'_> {
    async fn fetch<K: bootswap_engine::Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let (_, bytes) = self.0.iter().find(|(name, _)| *name == request.name).unwrap();
        let offset = sink.wanted();
        let total_len_bytes = Some(bytes.len() as u32);
        sink.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
        for part in bytes[offset as usize..].chunks(1000) {
            sink.data(part).await.map_err(SourceError::Sink)?;
        }
        Ok(())
    }
}

struct Air(bool);

impl Network for Air {
    async fn join(&mut self) -> bool {
        self.0
    }
}

impl DeviceUnderTest {
    /// The example, with the migrator in the partition with this label. If it is an OTA slot, the
    /// factory app is the old firmware.
    pub fn new(label: &str) -> Self {
        let mut table = vec![0; TABLE_LEN_BYTES as usize];
        emit(&synthetic::example_partitions(), &mut table).unwrap();
        Self::with_table(label, TABLE_ADDR, &table)
    }

    /// The same with a bootloader that undoes an update which did not confirm itself.
    pub fn with_rollback(label: &str) -> Self {
        let mut table = vec![0; TABLE_LEN_BYTES as usize];
        emit(&synthetic::example_partitions(), &mut table).unwrap();
        let config = EspIdfConfig { rollback: true, ..EspIdfConfig::default() };
        Self::with_bootloader(label, &table, config)
    }

    /// The same with another table, at another address.
    pub fn with_table(label: &str, table_addr: FlashAddr, table: &[u8]) -> Self {
        let config = EspIdfConfig { table_addr, ..EspIdfConfig::default() };
        Self::with_bootloader(label, table, config)
    }

    fn with_bootloader(label: &str, table: &[u8], config: EspIdfConfig) -> Self {
        let table_addr = config.table_addr;
        let partitions: Vec<Partition> =
            PartitionTable::parse_as_bootloader(table).unwrap().iter().collect();
        let running = partitions.iter().find(|p| p.label.as_str() == Some(label)).unwrap();
        let old_bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x5000, 1).unwrap();
        let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x6000, 2).unwrap();
        let migrator = synthetic::app(CHIP, "bootswap", "1", MIGRATOR_LEN, 3).unwrap();
        let old = synthetic::app(CHIP, "old", "1", 0x2_0000, 4).unwrap();
        let mut builder = FlashBuilder::new(CHIP, FlashSize::Mb4)
            .table_addr(table_addr)
            .raw_table(table)
            .unwrap()
            .bootloader(&old_bootloader)
            .old_data(OldData::Noise { seed: 5 })
            .app(label, &migrator);
        if let Some(index) = running.ota_index() {
            builder = builder.select_ota(index, OtaState::PendingVerify).app("factory", &old);
        }
        let board = Board::new(CHIP)
            .esp_idf(&old_bootloader, config)
            .unwrap()
            .mcuboot(&bootloader, McubootConfig::example())
            .unwrap();
        let app = signed_for(SwapKind::Scratch, None);
        Self {
            flash: Faulty::new(builder.build().unwrap()),
            board,
            app,
            bootloader,
            map: McubootConfig::example(),
            running: running.region.start(),
            online: true,
            damaged: false,
            veto: None,
            secure_boot: false,
            follows_reset: false,
            hangs: false,
            patience: 1000,
            console: CollectedLog::default(),
            window: CommitWindow::new(),
            waits_ms: vec![],
            quiet: false,
        }
    }

    /// Replaces the target bootloader by one with other settings, and signs the application for it.
    pub fn build_mcuboot(&mut self, map: &McubootConfig, signer: Option<&PrivateKey>) {
        self.bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x6000, 7).unwrap();
        self.board = self.board.clone().mcuboot(&self.bootloader, map.clone()).unwrap();
        self.app = signed_for(map.swap, signer);
        self.map = map.clone();
    }

    /// One run of the migrator. Returns whether it reached a reset.
    pub fn run(&mut self) -> bool {
        let (app, bootloader) = (self.app.clone(), self.bootloader.clone());
        let url = |name| Origin::Url(name);
        let artifacts = [
            artifact("app", Role::Application, url("http://lab/app"), &app),
            artifact("bootloader", Role::Bootloader, url("http://lab/boot"), &bootloader),
        ];
        self.run_with(Ok(&artifacts))
    }

    /// A run of a migrator without a valid configuration.
    pub fn run_without_config(&mut self, error: &ConfigError) -> bool {
        self.run_with(Err(error))
    }

    /// Hands everything to a start of another kind than [`DeviceUnderTest::run`].
    pub fn hand_over<R>(&mut self, start: impl FnOnce(Parts<'_>) -> R) -> R {
        let identity = self.identity();
        let url = |name| Origin::Url(name);
        let artifacts = [
            artifact("app", Role::Application, url("http://lab/app"), &self.app),
            artifact("bootloader", Role::Bootloader, url("http://lab/boot"), &self.bootloader),
        ];
        start(Parts {
            flash: Driver::with_alignment(&mut self.flash),
            identity,
            migration: migration(&artifacts, &self.map),
            files: [("app", &self.app), ("bootloader", &self.bootloader)],
            window: &self.window,
        })
    }

    fn identity(&self) -> Identity {
        Identity {
            chip: CHIP,
            chip_revision: Some(4),
            flash_len_bytes: self.flash.capacity_bytes(),
            image_start: self.running,
            secure_boot: self.secure_boot,
            flash_encryption: false,
        }
    }

    fn run_with(&mut self, what: Result<&[Artifact<'_>], &ConfigError>) -> bool {
        let identity = self.identity();
        let mut board = LabBoard {
            identity,
            follows_reset: self.follows_reset,
            veto: self.veto,
            patience: self.patience,
            waits_ms: &mut self.waits_ms,
            quiet: &mut self.quiet,
        };
        let mut driver = Driver::<_, 4, 4>::with_alignment(&mut self.flash);
        let mut buffers = Buffers::new();
        let mut migrator = Migrator {
            flash: &mut driver,
            board: &mut board,
            log: Log::new(&self.console, LogLevel::Debug),
            window: &self.window,
            buffers: &mut buffers,
        };
        let mut app = self.app.clone();
        // In the middle of the code, where only a digest notices.
        app[0x8000] ^= u8::from(self.damaged);
        let (hangs, map) = (self.hangs, self.map.clone());
        let files = [("app", app.as_slice()), ("bootloader", self.bootloader.as_slice())];
        let mut source = Joining::new(Air(self.online), Files(&files));
        let future = async {
            match what {
                Ok(artifacts) => {
                    // As in the firmware: the radio starts in between.
                    let key_der = map.key.as_ref().map(PublicKey::to_der);
                    let mut migration = migration(artifacts, &map);
                    if let Some(mcuboot) = &mut migration.mcuboot {
                        mcuboot.key_der = key_der.as_deref();
                    }
                    let mut room = Room::default();
                    let prepared = migrator.prepare(&migration, 0, &mut room).await;
                    let Some(mut ready) = prepared else { return };
                    if hangs {
                        pending::<()>().await;
                    }
                    migrator.go_on(&mut ready, &migration, &mut source, &mut []).await;
                }
                Err(error) => migrator.without_config(error).await,
            }
        };
        // Nothing here ever waits, except when the patience ends.
        embassy_futures::poll_once(std::pin::pin!(future)).is_ready()
    }

    /// Lets the device boot by itself: the started app is asked for its name and stays.
    pub fn boot(&mut self) -> (LifeOutcome, String) {
        let mut started = String::new();
        let mut device = Device::new(self.board.clone(), &mut self.flash);
        let mut stay = |app: &device_sim::RunningApp, _: device_sim::Machine<'_>| {
            started = app.project_name();
            device_sim::AppExit::Stay
        };
        let life = device.live(8, &mut stay, &mut |_: device_sim::Line| {});
        (life.outcome, started)
    }

    /// The bytes of a region.
    pub fn read(&mut self, region: Region) -> Vec<u8> {
        let mut bytes = vec![0; region.len_bytes() as usize];
        self.flash.read(region.start(), &mut bytes).unwrap();
        bytes
    }

    pub fn everything(&mut self) -> Vec<u8> {
        self.read(Region::clamped(FlashAddr::ZERO, self.flash.capacity_bytes()))
    }

    pub fn bootloader_in_place(&mut self) -> Vec<u8> {
        self.read(CHIP.bootloader_region())
    }

    /// Wears out a cell in the bootloader's region.
    pub fn wear_out(&mut self, addr: u32) {
        let bits = StuckBits { addr: FlashAddr(addr), at_0: 0xff, at_1: 0 };
        self.flash = self.flash.clone().with_stuck_bits(bits);
    }
}

fn artifact<'a>(name: &'a str, role: Role, origin: Origin<'a>, bytes: &[u8]) -> Artifact<'a> {
    Artifact {
        name,
        role,
        origin,
        dest: None,
        region_len_bytes: (role == Role::Bootloader).then_some(0x8000),
        len_bytes: Some(bytes.len() as u32),
        sha256: Some(Sha256::digest(bytes).into()),
        content: None,
        confirm: false,
        blanks: Blanks::NONE,
    }
}

/// The target application, of version 0.0.0.
fn signed_for(swap: SwapKind, key: Option<&PrivateKey>) -> Vec<u8> {
    let options =
        SignOptions { padding: Padding::Confirmed, key, ..SignOptions::espressif(SLOT_LEN, swap) };
    sign(&synthetic::target_payload(CHIP, 0x1_0000, 6), &options).unwrap()
}

fn migration<'a>(artifacts: &'a [Artifact<'a>], map: &McubootConfig) -> Migration<'a> {
    Migration {
        chip: CHIP,
        flash_len_bytes: Some(4 << 20),
        table_addr: None,
        mcuboot: Some(McubootMap {
            primary: map.primary,
            secondary: map.secondary,
            scratch: map.scratch,
            swap: map.swap,
            max_align_bytes: map.max_align,
            downgrade_prevention: map.downgrade_prevention,
            ..McubootMap::ESPRESSIF
        }),
        artifacts,
        commit: bootswap_plan::CommitWay::Replace,
        staging: Staging::Auto,
        allow: Allow::default(),
        against: &[],
    }
}
