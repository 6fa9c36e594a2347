//! A small device, a migration for it, and a source with scripted faults. The file is long because
//! the three depend on one another, and every test of the engine needs all of them.
//!
//! ```text
//!   0x00000  bootloader (16 KiB of the old one)  0x0d000  otadata
//!   0x08000  partition table                     0x10000  factory: the migrator, MCUboot's primary
//!   0x09000  NVS                                 0x20000  ota_0: MCUboot's secondary
//!                                                0x30000  ota_1: scratch; free from 0x40000 on
//! ```

use std::boxed::Box;
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootswap_plan::*;
use esp_idf_format::image::{FlashMode, FlashSize, ImageBuilder};
use esp_idf_format::partition::{Partition, PartitionType, TABLE_ADDR, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::espressif::LoadHeader;
use nor_sim::{Driver, Noise, NorDevice, NorError, NorMemory, Power, run_until_powered_off};
use sha2::{Digest, Sha256};

use crate::{
    Buffers, Done, Engine, Event, Failure, Flow, Header, Job, Platform, Request, Sink, Source,
    SourceError, Veto,
};

pub(crate) const CHIP: Chip = Chip::Esp32c3;
/// Revision of the chip: v0.4.
pub(crate) const REVISION: u16 = 4;
pub(crate) const FLASH_LEN: u32 = 0x10_0000;
pub(crate) const SLOT_LEN: u32 = 0x1_0000;
pub(crate) const BOOT: Region = at(0, 0x8000);
pub(crate) const PRIMARY: Region = at(0x1_0000, SLOT_LEN);
pub(crate) const SECONDARY: Region = at(0x2_0000, SLOT_LEN);
pub(crate) const SCRATCH: Region = at(0x3_0000, 0x4000);
pub(crate) const RUNNING_LEN: u32 = 0x8000;

pub(crate) const fn at(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Noise::new(seed).fill(&mut bytes);
    bytes
}

/// A signed application: padded and confirmed by default.
pub(crate) fn app(payload_len: usize, padding: Padding) -> Vec<u8> {
    app_for(SwapKind::Scratch, payload_len, padding)
}

pub(crate) fn app_for(swap: SwapKind, payload_len: usize, padding: Padding) -> Vec<u8> {
    let options = SignOptions { padding, ..SignOptions::espressif(SLOT_LEN, swap) };
    let reserved = LoadHeader::RESERVED_LEN_BYTES;
    let code_len = u32::try_from(payload_len - reserved).unwrap();
    let mut payload = LoadHeader::for_code(CHIP, code_len).to_bytes().to_vec();
    payload.resize(reserved, 0);
    payload.extend(noise(payload_len - reserved, 1));
    sign(&payload, &options).unwrap()
}

/// An ESP image of about this many bytes.
pub(crate) fn bootloader(len: usize, seed: u64) -> Vec<u8> {
    bootloader_of(&noise(len - 96, seed))
}

/// An ESP image with these bytes in its segment.
pub(crate) fn bootloader_of(bytes: &[u8]) -> Vec<u8> {
    // Where MCUboot's loader lies.
    let image = ImageBuilder::new(CHIP).flash_size(FlashSize::Mb1).entry_addr(0x403d_0000);
    image.segment(0x403d_0000, bytes).build().unwrap()
}

/// A file, its name in the migration, and what is known about it in advance.
#[derive(Clone)]
pub(crate) struct Part {
    pub name: &'static str,
    pub role: Role,
    pub bytes: Vec<u8>,
    pub embedded: bool,
    pub dest: Option<Region>,
    pub known_len: bool,
    pub known_digest: bool,
    pub content: Option<Content>,
    pub confirm: bool,
}

impl Part {
    pub(crate) fn new(name: &'static str, role: Role, bytes: Vec<u8>) -> Self {
        Self {
            name,
            role,
            bytes,
            embedded: false,
            dest: None,
            known_len: true,
            known_digest: true,
            content: None,
            confirm: false,
        }
    }

    fn url(&self) -> &'static str {
        match self.name {
            "app" => "http://lab/app.bin",
            "bootloader" => "http://lab/bootloader.bin",
            _ => "http://lab/other.bin",
        }
    }

    fn artifact(&self) -> Artifact<'_> {
        Artifact {
            name: self.name,
            role: self.role,
            origin: if self.embedded { Origin::Embedded } else { Origin::Url(self.url()) },
            dest: self.dest,
            region_len_bytes: None,
            len_bytes: self.known_len.then(|| u32::try_from(self.bytes.len()).unwrap()),
            sha256: self.known_digest.then(|| Sha256::digest(&self.bytes).into()),
            content: self.content,
            confirm: self.confirm,
            blanks: Blanks::NONE,
        }
    }
}

/// The blank sectors of a file, one by one.
fn blanks_of(bytes: &[u8]) -> Vec<u8> {
    let sectors = (0..).zip(bytes.chunks_exact(0x1000));
    let blank = sectors.filter(|(_, sector)| flash_region::is_blank(sector));
    blank.flat_map(|(index, _)| Blanks::encode(index, 1)).collect()
}

/// The result of a run.
pub(crate) type Ended = Result<Done, Failure<NorError, &'static str>>;

/// A device and its migration.
#[derive(Clone)]
pub(crate) struct Scene {
    pub flash: NorMemory,
    pub parts: Vec<Part>,
    pub map: Option<McubootMap<'static>>,
    pub staging: Staging<'static>,
    pub allow: Allow<'static>,
    pub partitions: Vec<Partition>,
    pub running: Region,
    pub memory_len: u32,
    pub container: Option<Region>,
    /// Flash mode of the bootloader in place.
    pub flash_mode: Option<FlashMode>,
}

impl Scene {
    /// The example in small: application to the secondary, bootloader staged and committed, old
    /// data everywhere.
    pub(crate) fn example() -> Self {
        let mut flash = NorMemory::erased(FLASH_LEN);
        flash.load(FlashAddr::ZERO, &bootloader(0x4000, 99));
        for (start, len_bytes) in [(0x8000, 0x1000), (0x9000, 0x4000), (0xf000, 0x1000)] {
            flash.load_noise(at(start, len_bytes), u64::from(start));
        }
        flash.load_noise(at(PRIMARY.start().get(), RUNNING_LEN), 3);
        flash.load_noise(SECONDARY, 4);
        flash.load_noise(at(0x3_0000, SLOT_LEN), 5);
        Self {
            flash,
            parts: vec![
                Part::new("app", Role::Application, app(20_000, Padding::Confirmed)),
                Part::new("bootloader", Role::Bootloader, bootloader(0x2000, 7)),
            ],
            map: Some(map(SwapKind::Scratch)),
            staging: Staging::Auto,
            allow: Allow::default(),
            partitions: table(),
            running: PRIMARY,
            memory_len: 0,
            container: None,
            flash_mode: None,
        }
    }

    pub(crate) fn part(&mut self, name: &str) -> &mut Part {
        self.parts.iter_mut().find(|part| part.name == name).unwrap()
    }

    /// The name, for longer than a job.
    fn named(&self, name: &str) -> &'static str {
        self.parts.iter().find(|part| part.name == name).unwrap().name
    }

    /// Hands the job to `use_it`, with the plan that the planner makes.
    pub(crate) fn with_job<R>(&self, use_it: impl FnOnce(&Job<'_>) -> R) -> R {
        let blanks: Vec<Vec<u8>> = self.parts.iter().map(|part| blanks_of(&part.bytes)).collect();
        let lent = self.parts.iter().map(Part::artifact).zip(&blanks);
        let lent = lent
            .map(|(artifact, blanks)| Artifact { blanks: Blanks::from_bytes(blanks), ..artifact });
        let artifacts: Vec<Artifact<'_>> = lent.collect();
        let migration = Migration {
            chip: CHIP,
            flash_len_bytes: None,
            table_addr: None,
            mcuboot: self.map,
            artifacts: &artifacts,
            staging: self.staging,
            commit: CommitWay::Replace,
            allow: self.allow,
            against: &[],
        };
        let facts = DeviceFacts {
            chip: CHIP,
            chip_revision: Some(REVISION),
            flash_len_bytes: FLASH_LEN,
            table_addr: TABLE_ADDR,
            other_table_addr: None,
            partitions: &self.partitions,
            running: self.running,
            running_len_bytes: RUNNING_LEN,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: self.flash_mode,
            bootloader_settings: None,
            secure_version: None,
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: self.memory_len,
            primary: None,
        };
        let plan = Box::new(plan(&migration, &facts).unwrap_or_else(|reasons| {
            panic!("refused: {}", reasons.iter().map(|r| format!("{r}; ")).collect::<String>())
        }));
        use_it(&Job {
            migration: &migration,
            facts: &facts,
            plan: &plan,
            container: self.container,
        })
    }

    /// Everything that the scene serves.
    pub(crate) fn server(&self) -> Script {
        let files = self.parts.iter().map(|part| (part.url(), part.bytes.clone())).collect();
        Script { files, faults: VecDeque::new(), chunk: 700, sent_bytes: 0, asked: Vec::new() }
    }

    /// Runs the engine until it ends or power is lost.
    pub(crate) fn run_with<D: NorDevice, S: Source>(
        &self,
        flash: &mut Driver<D, 4, 4>,
        source: &mut S,
        log: &mut Log,
        power: &Power,
    ) -> Option<Ended> {
        let mut memory = vec![0; self.memory_len as usize];
        let mut buffers = Box::new(Buffers::new());
        self.with_job(|job| {
            let mut engine = Engine::new(flash, source, log, &mut buffers, &mut memory);
            let ended = run_until_powered_off(Box::pin(engine.run(job)), power);
            ended
                .map(|ended| ended.map_err(|failure| failure.map_artifact(|name| self.named(name))))
        })
    }

    /// Runs the engine once on a sound flash.
    pub(crate) fn run(&self, source: &mut Script) -> (Ended, NorMemory, Log) {
        let mut flash = Driver::with_alignment(self.flash.clone());
        let mut log = Log::default();
        let ended = self.run_with(&mut flash, source, &mut log, &Power::new()).unwrap();
        (ended, flash.into_device(), log)
    }

    /// Runs the engine once on a flash and a server without faults; it must succeed.
    pub(crate) fn migrated(&self) -> (NorMemory, Log) {
        let (ended, flash, log) = self.run(&mut self.server());
        assert_eq!(ended, Ok(Done::NewBootloader), "{:#?}", log.lines);
        (flash, log)
    }

    /// Asserts that the migration is done on this flash and nothing else was changed.
    pub(crate) fn assert_done(&self, flash: &NorMemory) {
        for part in &self.parts {
            let len = u32::try_from(part.bytes.len()).unwrap();
            match part.role {
                Role::Bootloader => assert_eq!(flash.bytes(at(0, len)), part.bytes, "bootloader"),
                Role::Application => self.assert_app(flash, part),
                Role::Other => {
                    let dest = part.dest.unwrap().prefix(len);
                    assert!(flash.bytes(dest) == part.bytes, "{}", part.name);
                }
            }
        }
        self.assert_unharmed(flash);
    }

    /// What MCUboot reads is that of the file; the padding may contain old data.
    fn assert_app(&self, flash: &NorMemory, part: &Part) {
        let map = self.map.unwrap();
        let layout = map.trailer(SECONDARY).unwrap();
        let slot = match map.swap {
            SwapKind::Scratch | SwapKind::Overwrite => SECONDARY,
            SwapKind::Move | SwapKind::Offset => PRIMARY,
        };
        let info = mcuboot_format::validate(&part.bytes, map.limits().unwrap(), None).unwrap();
        let image = slot.prefix(info.image_end_bytes);
        assert!(flash.bytes(image) == part.bytes[..info.image_end_bytes as usize], "image");
        let mut trailer = vec![0xff; layout.trailer().len_bytes() as usize];
        if part.confirm {
            mcuboot_format::trailer::confirmed_trailer(&layout, &mut trailer).unwrap();
        } else if part.bytes.len() == SLOT_LEN as usize {
            trailer.copy_from_slice(&part.bytes[layout.offset_bytes() as usize..]);
        }
        assert!(flash.bytes(slot.suffix(layout.trailer().len_bytes())) == trailer, "trailer");
    }

    /// Everything that is not a destination is unchanged: partition table, NVS, PHY data, the
    /// running image.
    pub(crate) fn assert_unharmed(&self, flash: &NorMemory) {
        let running = self.running.prefix(RUNNING_LEN);
        for region in [at(0x8000, 0x5000), at(0xf000, 0x1000), running] {
            assert!(flash.bytes(region) == self.flash.bytes(region), "{region} was changed");
            assert_eq!(flash.max_erase_count(region), 0, "{region} was erased");
        }
    }
}

pub(crate) fn map(swap: SwapKind) -> McubootMap<'static> {
    McubootMap {
        primary: PRIMARY,
        secondary: SECONDARY,
        scratch: (swap == SwapKind::Scratch).then_some(SCRATCH),
        swap,
        ..McubootMap::ESPRESSIF
    }
}

pub(crate) fn table() -> Vec<Partition> {
    let partition = |label: &str, kind, subtype, start, len_bytes| Partition {
        label: FixedText::new(label).unwrap(),
        kind,
        subtype,
        region: at(start, len_bytes),
        flags: 0,
    };
    vec![
        partition("nvs", PartitionType::Data, subtype::NVS, 0x9000, 0x4000),
        partition("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000),
        partition("phy_init", PartitionType::Data, subtype::PHY, 0xf000, 0x1000),
        partition("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, SLOT_LEN),
        partition("ota_0", PartitionType::App, subtype::OTA_0, 0x2_0000, SLOT_LEN),
        partition("ota_1", PartitionType::App, subtype::OTA_0 + 1, 0x3_0000, SLOT_LEN),
    ]
}

/// What one answer does wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection breaks after this many bytes of this answer.
    Breaks(usize),
    /// The body ends after this many bytes of this answer, as if it were complete.
    Ends(usize),
    /// The whole file is sent, whatever was requested.
    IgnoresRange,
    /// The answer claims to begin at this byte.
    Begins(u32),
    /// The answer does not state the length.
    NoLength,
    /// The answer states another length.
    Length(u32),
    /// This many bytes follow the file.
    Longer(usize),
    /// Something else is sent, from its first byte, with or without its length.
    Other(Vec<u8>, bool),
    /// A byte of the file is changed.
    Damaged(usize),
    /// There is no answer, only this error.
    Fails(SourceError<core::convert::Infallible>),
}

/// Serves files from memory; each answer uses the next faults of the script.
#[derive(Clone)]
pub(crate) struct Script {
    pub files: Vec<(&'static str, Vec<u8>)>,
    pub faults: VecDeque<Vec<Fault>>,
    pub chunk: usize,
    pub sent_bytes: usize,
    /// The requests: URL and offset.
    pub asked: Vec<(String, u32)>,
}

impl Script {
    /// A script with these faults, one per request.
    pub(crate) fn with(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().map(|fault| vec![fault]).collect();
        self
    }
}

impl Source for Script {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let url = request.url.unwrap();
        let mut file = self.files.iter().find(|(name, _)| *name == url).unwrap().1.clone();
        let faults = self.faults.pop_front().unwrap_or_default();
        self.asked.push((url.to_string(), sink.wanted()));
        let mut from = sink.wanted() as usize;
        let (mut said, mut offset) = (Some(file.len()), None);
        let (mut breaks, mut ends) = (usize::MAX, usize::MAX);
        for fault in faults {
            match fault {
                Fault::Breaks(after) => breaks = after,
                Fault::Ends(after) => ends = after,
                Fault::IgnoresRange => from = 0,
                Fault::Begins(at) => offset = Some(at),
                Fault::NoLength => said = None,
                Fault::Length(len) => said = Some(len as usize),
                Fault::Longer(by) => file.extend(noise(by, 12)),
                Fault::Other(other, says) => {
                    from = 0;
                    said = says.then_some(other.len());
                    file = other;
                }
                Fault::Damaged(at) => file[at] ^= 0x10,
                Fault::Fails(error) => return Err(reworded(&error)),
            }
        }
        let offset = offset.unwrap_or(from as u32);
        let total_len_bytes = said.map(|len| len as u32);
        sink.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
        let mut sent = 0;
        for chunk in file.get(from..).unwrap_or_default().chunks(self.chunk) {
            let left = breaks.min(ends).saturating_sub(sent);
            let chunk = &chunk[..chunk.len().min(left)];
            if chunk.is_empty() {
                return if ends <= breaks { Ok(()) } else { Err(SourceError::Broken) };
            }
            sent += chunk.len();
            self.sent_bytes += chunk.len();
            if sink.data(chunk).await.map_err(SourceError::Sink)? == Flow::Enough {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The platform of the tests: records what happens.
#[derive(Default)]
pub(crate) struct Log {
    pub lines: Vec<String>,
    pub delays_ms: Vec<u32>,
    pub alive: usize,
    /// How often `before_commit` was called; the operations up to then are not known here.
    pub asked_to_commit: usize,
    pub veto: Option<Veto>,
    /// Whether this start follows a reset.
    pub follows_reset: bool,
    /// Whether power is lost in the first wait.
    pub dies_waiting: bool,
}

impl Log {
    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

impl Platform for Log {
    fn event(&mut self, event: &Event<'_>) {
        self.lines.push(event.to_string());
    }

    fn follows_reset(&mut self) -> bool {
        self.follows_reset
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.delays_ms.push(ms);
        if self.dies_waiting {
            std::future::pending().await
        }
    }

    fn alive(&mut self) {
        self.alive += 1;
    }

    async fn before_commit(&mut self) -> Result<(), Veto> {
        self.asked_to_commit += 1;
        self.veto.map_or(Ok(()), Err)
    }
}

/// The same error, for a sink with errors of its own.
fn reworded<E>(error: &SourceError<core::convert::Infallible>) -> SourceError<E> {
    match error {
        SourceError::Status(status) => SourceError::Status(*status),
        SourceError::Connect => SourceError::Connect,
        SourceError::Stalled => SourceError::Stalled,
        SourceError::NoTls => SourceError::NoTls,
        other => panic!("not scripted: {other}"),
    }
}
