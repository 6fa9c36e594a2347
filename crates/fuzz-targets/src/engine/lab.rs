//! A small device and a migration for it, and what earlier runs of the engine left behind.

use bootswap_engine::{
    Buffers, Done, Engine, Event, Failure, Flow, Header, Job, Platform, Request, Sink, Source,
    SourceError, Veto,
};
use bootswap_plan::{
    Allow, Artifact, DeviceFacts, McubootMap, Migration, Origin, Plan, Role, Staging, Step, Target,
    plan,
};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::{SlotLimits, SwapKind};
use nor_sim::{NorMemory, Power, WordDriver, run_until_powered_off};
use sha2::{Digest, Sha256};

use crate::noise;

/// Bytes in which the journal is made up here; what they mean is the engine's business.
pub(super) const CELL_BYTES: usize = 16;

const CHIP: Chip = Chip::Esp32c3;
const FLASH_LEN_BYTES: u32 = 0x10_0000;
const SLOT_LEN_BYTES: u32 = 0x8000;
const RUNNING_LEN_BYTES: u32 = 0x4000;
/// Failed attempts after which the journal has seen all of them.
const ATTEMPTS: usize = 8;

const fn slot(start: u32) -> Region {
    Region::clamped(FlashAddr(start), SLOT_LEN_BYTES)
}

/// The device, the migration, and what became of it.
pub(super) struct Lab {
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
    /// What has to lie where in the end.
    pub in_place: Vec<Region>,
    /// What stays as it is.
    pub kept: Vec<Region>,
    /// Cells that runs of the engine wrote; the last one was written last.
    pub cells: Vec<[u8; CELL_BYTES]>,
}

/// What a run of the engine came to.
pub(super) enum Came {
    /// The migration is done.
    ToItsEnd,
    /// It is not.
    ToNothing {
        /// Whether because of too many attempts.
        given_up: bool,
        /// Why.
        why: String,
    },
}

impl Lab {
    /// A lab; `is_known` says whether the migration tells length and digest of its files.
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
        let app = sign(&noise(1, 20_000), &options).expect("it fits the slot");
        let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb1, 9000, 2).expect("an image");
        let mut before = NorMemory::from_bytes(&noise(3, FLASH_LEN_BYTES));
        // Unclaimed flash is blank, as it is where nobody has ever written.
        let unclaimed = Region::clamped(FlashAddr(0x4_0000), 0xc_0000);
        before.load(unclaimed.start(), &vec![flash_region::ERASED; 0xc_0000]);
        let mut lab = Self {
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
        lab.look_at_the_plan();
        lab.live();
        lab
    }

    /// Takes the places from the plan; where files end is taken from the map.
    fn look_at_the_plan(&mut self) {
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
        // What an image does not fill of its slot is nobody's business, but the trailer at its end is.
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

    /// Fails as often as it may, and succeeds once, and collects what that leaves in the journal.
    fn live(&mut self) {
        let mut flash = self.before.clone();
        assert!(matches!(self.run(&mut flash, 1000), Came::ToItsEnd), "the lab does not work");
        self.collect(&flash);
        self.after = flash;
        let mut flash = self.before.clone();
        for _ in 0..ATTEMPTS {
            assert!(matches!(self.run(&mut flash, 0), Came::ToNothing { given_up: false, .. }));
        }
        assert!(matches!(self.run(&mut flash, 0), Came::ToNothing { given_up: true, .. }));
        self.collect(&flash);
    }

    fn collect(&mut self, flash: &NorMemory) {
        let bytes = flash.bytes(self.journal);
        let (cells, _) = bytes.as_chunks::<CELL_BYTES>();
        let written = cells.iter().filter(|cell| !flash_region::is_blank(cell.as_slice()));
        self.cells.extend(written);
    }

    /// What the journal holds when it has seen the last attempt.
    pub(super) fn last_attempt(&self) -> [u8; CELL_BYTES] {
        *self.cells.last().expect("there were attempts")
    }

    /// The end of the flash.
    pub(super) const fn flash_end(&self) -> FlashAddr {
        FlashAddr(FLASH_LEN_BYTES)
    }

    /// Runs the engine once, with a server that sends pieces of so many bytes, or is not there.
    pub(super) fn run(&self, flash: &mut NorMemory, piece_len: usize) -> Came {
        self.with(|migration, facts, plan| {
            let mut driver = WordDriver::with_alignment(flash);
            let mut source = Files { files: &self.files, piece_len };
            let (mut buffers, mut quiet) = (Box::new(Buffers::new()), Quiet);
            let mut engine =
                Engine::new(&mut driver, &mut source, &mut quiet, &mut buffers, &mut []);
            let job = Job { migration, facts, plan, container: None };
            let ended = run_until_powered_off(Box::pin(engine.run(&job)), &Power::new());
            match ended.expect("the power stays on") {
                Ok(Done::NewBootloader) => Came::ToItsEnd,
                Ok(Done::Copy) => panic!("nothing has to move"),
                Err(failure) => {
                    assert!(failure.may_reset(), "{failure}");
                    let given_up = matches!(failure, Failure::GivenUp { .. });
                    Came::ToNothing { given_up, why: failure.to_string() }
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
            max_align_bytes: 8,
            key_der: None,
        };
        let migration = Migration {
            chip: CHIP,
            flash_len_bytes: None,
            mcuboot: Some(map),
            artifacts: &artifacts,
            staging: Staging::Auto,
            allow: Allow::default(),
        };
        let facts = DeviceFacts {
            chip: CHIP,
            chip_revision: None,
            flash_len_bytes: FLASH_LEN_BYTES,
            partitions: &self.partitions,
            running: slot(0x1_0000),
            running_len_bytes: RUNNING_LEN_BYTES,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: 0,
        };
        let plan = plan(&migration, &facts).expect("the example in small");
        f(&migration, &facts, &plan)
    }
}

/// A server that is there, or is not.
struct Files<'a> {
    files: &'a [Vec<u8>; 2],
    /// Bytes of a piece; 0 is no server.
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

/// A board that nobody looks at.
struct Quiet;

impl Platform for Quiet {
    fn event(&mut self, _: &Event<'_>) {}

    async fn delay_ms(&mut self, _: u32) {}

    async fn before_commit(&mut self) -> Result<(), Veto> {
        Ok(())
    }
}
