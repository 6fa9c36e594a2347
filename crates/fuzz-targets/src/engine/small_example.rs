//! The example on a small device, and what runs of the engine leave in its flash.

use bootswap_engine::{
    Buffers, Done, Engine, Event, Failure, Flow, Header, Job, Platform, Request, Sink, Source,
    SourceError, Veto,
};
use bootswap_plan::{
    Allow, Artifact, Blanks, CommitWay, DeviceFacts, McubootMap, Migration, Origin, Plan, Role,
    Staging, Step, Target, plan,
};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{Partition, TABLE_ADDR};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::{SlotLimits, SwapKind};
use nor_sim::{NorMemory, Power, WordDriver, run_until_powered_off};
use sha2::{Digest, Sha256};

use crate::noise;

/// Bytes of a piece of the journal; only the engine knows what they mean.
pub(super) const CELL_BYTES: usize = 16;

const CHIP: Chip = Chip::Esp32c3;
const FLASH_LEN_BYTES: u32 = 0x10_0000;
const SLOT_LEN_BYTES: u32 = 0x8000;
const RUNNING_LEN_BYTES: u32 = 0x4000;
/// Attempts without progress that the journal counts.
const ATTEMPTS: usize = 8;

const fn slot(start: u32) -> Region {
    Region::clamped(FlashAddr(start), SLOT_LEN_BYTES)
}

/// The device, the migration, and its results.
pub(super) struct SmallExample {
    partitions: Vec<Partition>,
    files: [Vec<u8>; 2],
    is_known: bool,
    /// Flash before.
    pub before: NorMemory,
    /// Flash after a migration that nothing interrupted.
    pub after: NorMemory,
    /// Where the journal is.
    pub journal: Region,
    /// Where artifacts are written before the commit, in whole sectors.
    pub places: Vec<Region>,
    /// Where the artifacts are in the end.
    pub in_place: Vec<Region>,
    /// What must not change.
    pub kept: Vec<Region>,
    /// Cells that runs of the engine wrote; the last one was written last.
    pub cells: Vec<[u8; CELL_BYTES]>,
}

/// How a run of the engine ended.
pub(super) enum Attempt {
    /// The migration is done.
    Done,
    /// It is not done.
    Failed {
        /// Whether there were too many attempts.
        given_up: bool,
        /// Why.
        why: String,
    },
}

impl SmallExample {
    /// The example; `is_known` if the migration has length and digest of its files.
    pub(super) fn new(is_known: bool) -> Self {
        let mut partitions = synthetic::example_partitions();
        for (partition, start) in partitions.iter_mut().skip(3).zip([0x1_0000, 0x2_0000, 0x3_0000])
        {
            partition.region = slot(start);
        }
        let options = SignOptions {
            padding: Padding::Confirmed,
            ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
        };
        let app =
            sign(&synthetic::target_payload(CHIP, 20_000, 1), &options).expect("it fits the slot");
        let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb1, 9000, 2).expect("an image");
        let mut before = NorMemory::from_bytes(&noise(3, FLASH_LEN_BYTES));
        // Flash that no partition claims is blank: it was never written.
        let unclaimed = Region::clamped(FlashAddr(0x4_0000), 0xc_0000);
        before.load(unclaimed.start(), &vec![flash_region::ERASED; 0xc_0000]);
        let mut example = Self {
            partitions,
            files: [app, bootloader],
            is_known,
            after: before.clone(),
            before,
            journal: Region::default(),
            places: Vec::new(),
            in_place: Vec::new(),
            kept: Vec::new(),
            cells: Vec::new(),
        };
        example.take_places();
        example.collect_cells();
        example
    }

    /// Takes the places from the plan; where the files end up follows from the map.
    fn take_places(&mut self) {
        let (journal, places) = self.with(|_, _, plan| {
            let routes = plan.steps.iter().filter_map(|step| match step {
                Step::Fetch { routes, .. } => Some(routes),
                _ => None,
            });
            let places = routes.flatten().filter_map(|route| match &route.to {
                Target::Flash(place) => Some(place.erasable.prefix(SLOT_LEN_BYTES)),
                Target::Memory { .. } => None,
            });
            (plan.journal.expect("there is room for one"), places.collect())
        });
        let [app, bootloader] = &self.files;
        let whole = |start: u32, file: &[u8]| {
            Region::clamped(FlashAddr(start), u32::try_from(file.len()).expect("a small file"))
        };
        // In the slot, only the image and the trailer at its end matter.
        let (slot_len_bytes, max_image_len_bytes) = (SLOT_LEN_BYTES, SLOT_LEN_BYTES);
        let limits = SlotLimits { slot_len_bytes, max_image_len_bytes };
        let image = mcuboot_format::validate(app, limits, None).expect("it was just signed");
        let image = Region::clamped(FlashAddr(0x2_0000), image.image_end_bytes);
        let magic = slot(0x2_0000).suffix(32);
        self.in_place = vec![image, magic, whole(0, bootloader)];
        let kept = self.partitions.iter().take(3).map(|partition| partition.region);
        self.kept = kept.chain([slot(0x1_0000).prefix(RUNNING_LEN_BYTES)]).collect();
        (self.journal, self.places) = (journal, places);
    }

    /// Succeeds once, fails as often as the journal counts, and collects the cells of both.
    fn collect_cells(&mut self) {
        let mut flash = self.before.clone();
        assert!(
            matches!(self.run(&mut flash, 1000), Attempt::Done),
            "the example cannot be migrated"
        );
        self.collect(&flash);
        self.after = flash;
        let mut flash = self.before.clone();
        for _ in 0..ATTEMPTS {
            assert!(matches!(self.run(&mut flash, 0), Attempt::Failed { given_up: false, .. }));
        }
        assert!(matches!(self.run(&mut flash, 0), Attempt::Failed { given_up: true, .. }));
        self.collect(&flash);
    }

    fn collect(&mut self, flash: &NorMemory) {
        let bytes = flash.bytes(self.journal);
        let (cells, _) = bytes.as_chunks::<CELL_BYTES>();
        let written = cells.iter().filter(|cell| !flash_region::is_blank(cell.as_slice()));
        self.cells.extend(written);
    }

    /// The last cell that the last attempt writes.
    pub(super) fn last_attempt(&self) -> [u8; CELL_BYTES] {
        *self.cells.last().expect("there were attempts")
    }

    /// The end of the flash.
    pub(super) const fn flash_end(&self) -> FlashAddr {
        FlashAddr(FLASH_LEN_BYTES)
    }

    /// Runs the engine once, with a server that sends pieces of this length, or with none for 0.
    pub(super) fn run(&self, flash: &mut NorMemory, piece_len: usize) -> Attempt {
        self.with(|migration, facts, plan| {
            let mut driver = WordDriver::with_alignment(flash);
            let mut source = Files { files: &self.files, piece_len };
            let (mut buffers, mut quiet) = (Box::new(Buffers::new()), Quiet);
            let mut engine =
                Engine::new(&mut driver, &mut source, &mut quiet, &mut buffers, &mut []);
            let job = Job { migration, facts, plan, container: None };
            let ended = run_until_powered_off(Box::pin(engine.run(&job)), &Power::new());
            match ended.expect("the power stays on") {
                Ok(Done::NewBootloader) => Attempt::Done,
                Ok(Done::Copy) => panic!("the migrator need not move"),
                Err(failure) => {
                    assert!(failure.may_reset(), "{failure}");
                    let given_up = matches!(failure, Failure::GivenUp { .. });
                    Attempt::Failed { given_up, why: failure.to_string() }
                }
            }
        })
    }

    fn with<T>(&self, f: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>, &Plan) -> T) -> T {
        let artifact = |name, role, file: &Vec<u8>| Artifact {
            name,
            role,
            origin: Origin::Url("http://lab/file"),
            dest: None,
            region_len_bytes: None,
            len_bytes: self.is_known.then(|| u32::try_from(file.len()).expect("a small file")),
            sha256: self.is_known.then(|| Sha256::digest(file).into()),
            content: None,
            confirm: false,
            blanks: Blanks::NONE,
        };
        let [app, bootloader] = &self.files;
        let artifacts = [
            artifact("app", Role::Application, app),
            artifact("bootloader", Role::Bootloader, bootloader),
        ];
        let map = McubootMap {
            primary: slot(0x1_0000),
            secondary: slot(0x2_0000),
            scratch: Some(Region::clamped(FlashAddr(0x3_0000), 2 * SECTOR_BYTES)),
            swap: SwapKind::Scratch,
            ..McubootMap::ESPRESSIF
        };
        let migration = Migration {
            chip: CHIP,
            flash_len_bytes: None,
            table_addr: None,
            mcuboot: Some(map),
            artifacts: &artifacts,
            staging: Staging::Auto,
            commit: CommitWay::Replace,
            allow: Allow::default(),
            against: &[],
        };
        let facts = DeviceFacts {
            chip: CHIP,
            chip_revision: None,
            flash_len_bytes: FLASH_LEN_BYTES,
            table_addr: TABLE_ADDR,
            other_table_addr: None,
            partitions: &self.partitions,
            running: slot(0x1_0000),
            running_len_bytes: RUNNING_LEN_BYTES,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            bootloader_settings: None,
            secure_version: None,
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: 0,
            primary: None,
        };
        let plan = plan(&migration, &facts).expect("the small example is planned");
        f(&migration, &facts, &plan)
    }
}

/// A server, or none.
struct Files<'a> {
    files: &'a [Vec<u8>; 2],
    /// Bytes of a piece; 0 for no server.
    piece_len: usize,
}

impl Source for Files<'_> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        if self.piece_len == 0 {
            return Err(SourceError::Connect);
        }
        let file = &self.files[usize::from(request.artifact.0)];
        let offset = sink.wanted();
        let total_len_bytes = u32::try_from(file.len()).ok();
        sink.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
        for piece in file.get(offset as usize..).unwrap_or_default().chunks(self.piece_len * 16) {
            if sink.data(piece).await.map_err(SourceError::Sink)? == Flow::Enough {
                break;
            }
        }
        Ok(())
    }
}

/// A board without console.
struct Quiet;

impl Platform for Quiet {
    fn event(&mut self, _: &Event<'_>) {}

    async fn delay_ms(&mut self, _: u32) {}

    async fn before_commit(&mut self) -> Result<(), Veto> {
        Ok(())
    }
}
