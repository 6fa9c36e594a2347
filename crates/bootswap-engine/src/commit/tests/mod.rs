use std::string::String;
use std::vec;
use std::vec::Vec;

use bootswap_plan::{Blanks, Origin, Role};
use nor_sim::{
    Counted, Driver, EraseUnit, Faulty, NorDevice, NorError, NorMemory, Op, OpFault, Power,
    ReadFault, Recorded, StuckBits, When, run_until_powered_off,
};
use proptest::prelude::*;

use super::*;
use crate::Veto;
use crate::block::Bytes;
use crate::tests::kit::{Log, at, noise};

mod repair;

const FLASH_LEN: u32 = 0x4_0000;
const STAGING: FlashAddr = FlashAddr(0x2_0000);

/// A destination, its new contents, and how they are written.
#[derive(Clone, Debug)]
struct Case {
    new: Vec<u8>,
    to: Region,
    erasable: Region,
    unused: Option<Region>,
    keep_under_blank: bool,
    in_memory: bool,
    known_digest: bool,
}

impl Case {
    fn new(new: Vec<u8>, start: u32, erasable: Region) -> Self {
        let to = at(start, u32::try_from(new.len()).unwrap());
        Self {
            new,
            to,
            erasable,
            unused: None,
            keep_under_blank: false,
            in_memory: false,
            known_digest: true,
        }
    }

    /// The flash with the staged bytes, and old ones everywhere else.
    fn flash(&self) -> NorMemory {
        let mut memory = NorMemory::erased(FLASH_LEN);
        memory.load_noise(at(0, FLASH_LEN), 11);
        memory.load(STAGING, &self.new);
        memory
    }

    fn run<D: NorDevice>(&self, device: D, log: &mut Log) -> (Result<(), Failure<NorError>>, D) {
        let mut driver = Driver::<D, 4, 4>::with_alignment(device);
        let sha256: [u8; 32] = Sha256::digest(&self.new).into();
        let artifact = Artifact {
            name: "bootloader",
            role: Role::Bootloader,
            origin: Origin::Embedded,
            dest: None,
            region_len_bytes: None,
            len_bytes: None,
            sha256: self.known_digest.then_some(sha256),
            content: None,
            confirm: false,
            blanks: Blanks::NONE,
        };
        let wanted = Wanted {
            from: if self.in_memory { Bytes::Memory(&self.new) } else { Bytes::Flash(STAGING) },
            to: self.to,
            erasable: self.erasable,
            reserved: None,
            gap: None,
            unused: self.unused,
            keep_under_blank: self.keep_under_blank,
        };
        let digest = Some(head(&sha256));
        let rest = Region::default();
        let (padding, sectors) = (None, 0);
        let mut commits = [Commit { artifact: &artifact, digest, wanted, rest, padding, sectors }];
        let mut buffer = [0; SECTOR];
        let mut medium = Medium::new(&mut driver);
        let done = commit(&mut medium, log, &mut buffer, &mut commits);
        let done = run_until_powered_off(done, &Power::new()).unwrap();
        (done, driver.into_device())
    }

    /// Runs on this flash; returns the operations.
    fn ops(&self, flash: &NorMemory) -> (Vec<Op>, NorMemory) {
        let mut log = Log::default();
        let (done, device) = self.run(Recorded::new(flash.clone()), &mut log);
        assert_eq!(done, Ok(()), "{:?}", log.lines);
        (device.recording().ops().collect(), device.into_inner())
    }
}

fn erase(unit: EraseUnit, addr: u32) -> Op {
    Op::erase(unit, FlashAddr(addr))
}

fn pages(start: u32, count: u32) -> Vec<Op> {
    (0..count)
        .map(|page| Op::Program { addr: FlashAddr(start + page * 256), len_bytes: 256 })
        .collect()
}

/// 27,376 bytes at 0x0 over an old bootloader: one erase of 32 KiB, 107 pages, and nothing else.
#[test]
fn a_bootloader_at_0_takes_one_erase() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    let (ops, flash) = case.ops(&case.flash());
    let mut wanted = vec![erase(EraseUnit::Block32K, 0)];
    wanted.extend(pages(0, 107));
    assert_eq!(ops, wanted);
    assert_eq!(flash.bytes(case.to), case.new);
    assert!(flash.bytes(at(0x8000, 0x1000)) == case.flash().bytes(at(0x8000, 0x1000)));
}

/// At 0x1000, the block would begin with the sector before, which may be erased only while it is
/// blank.
#[test]
fn a_bootloader_at_0x1000_takes_one_erase_if_the_sector_before_is_blank() {
    let mut case = Case::new(noise(27_376, 1), 0x1000, at(0x1000, 0x7000));
    case.unused = Some(at(0, 0x1000));
    let in_use = case.flash();
    let (ops, flash) = case.ops(&in_use);
    let erases: Vec<Op> = ops.iter().copied().filter(|op| matches!(op, Op::Erase { .. })).collect();
    let sectors: Vec<Op> =
        (1..8).map(|sector| erase(EraseUnit::Sector4K, sector * 0x1000)).collect();
    assert_eq!(erases, sectors);
    assert_eq!(flash.bytes(at(0, 0x1000)), in_use.bytes(at(0, 0x1000)));

    let mut free = in_use;
    free.load(FlashAddr(0), &[0xff; 0x1000]);
    let (ops, _) = case.ops(&free);
    assert_eq!(ops[0], erase(EraseUnit::Block32K, 0));
    assert_eq!(ops[1..], pages(0x1000, 107));
}

#[test]
fn only_sectors_that_differ_are_written() {
    let case = Case::new(noise(0x5000, 1), 0, at(0, 0x8000));
    let mut flash = case.flash();
    flash.load(FlashAddr(0), &case.new);
    flash.load(FlashAddr(0x2345), &[0xff]);
    // A sector with a bit to set; one with bits to clear in one page only.
    let mut page = case.new[0x4300..0x4400].to_vec();
    page.iter_mut().for_each(|byte| *byte |= 0x81);
    flash.load(FlashAddr(0x4300), &page);
    let (ops, flash) = case.ops(&flash);
    let (byte, page) = (case.new[0x2345], at(0x2000, 0x1000));
    assert_ne!(byte, 0xff, "the seed has to differ");
    // Clearing bits needs no erase, so the page with 0xff is just programmed.
    assert_eq!(ops, [pages(0x2300, 1), pages(0x4300, 1)].concat());
    assert_eq!(flash.bytes(case.to), case.new);
    assert_eq!(flash.max_erase_count(page), 0);
}

#[test]
fn nothing_is_done_where_nothing_differs() {
    let case = Case::new(noise(0x5000, 1), 0, at(0, 0x8000));
    let mut flash = case.flash();
    flash.load(FlashAddr(0), &case.new);
    let mut log = Log::default();
    let (done, device) = case.run(Counted::new(flash), &mut log);
    assert_eq!((done, device.counts().ops(), log.asked_to_commit), (Ok(()), 0, 0));
    assert!(log.has("holds already") && !log.has("window"));
}

#[test]
fn a_veto_leaves_everything_as_it_is() {
    let case = Case::new(noise(0x5000, 1), 0, at(0, 0x8000));
    let veto = Veto::WeakSupply { found_mv: 2700, wanted_mv: 3000 };
    let mut log = Log { veto: Some(veto), ..Log::default() };
    let (done, device) = case.run(Counted::new(case.flash()), &mut log);
    assert_eq!((done, device.counts().ops()), (Err(Failure::Veto(veto)), 0));
    assert!(!log.has("window"));
}

/// Looked at before, copied in the window, then read back and by the digest: the staged bytes three
/// times, the destination three times. In the window itself are the staged bytes alone.
#[test]
fn reads_in_the_window_are_the_staged_bytes_once() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    let (done, device) = case.run(Counted::new(case.flash()), &mut Log::default());
    assert_eq!((done, device.counts().bytes_read), (Ok(()), 6 * 27_376));
}

#[test]
fn from_memory_nothing_is_read_in_the_window() {
    let mut case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    case.in_memory = true;
    let mut log = Log::default();
    let (done, device) = case.run(Counted::new(case.flash()), &mut log);
    assert_eq!((done, device.counts().bytes_read), (Ok(()), 3 * 27_376));
    assert_eq!(device.inner().bytes(case.to), case.new);
}

/// A merged image: bootloader, table and a gap that contains other data.
#[test]
fn gaps_of_a_merged_image_stay() {
    let mut new = noise(0xf000, 1);
    new[0x5000..0x8000].fill(0xff);
    new[0x9000..0xe000].fill(0xff);
    let mut case = Case::new(new, 0, at(0, 0xf000));
    case.keep_under_blank = true;
    let before = case.flash();
    let (ops, flash) = case.ops(&before);
    for gap in [at(0x5000, 0x3000), at(0x9000, 0x5000), at(0xf000, 0x1000)] {
        assert!(flash.bytes(gap) == before.bytes(gap), "{gap}");
    }
    for part in [at(0, 0x5000), at(0x8000, 0x1000), at(0xe000, 0x1000)] {
        let range = part.start().get() as usize..part.end().get() as usize;
        assert!(flash.bytes(part) == case.new[range], "{part}");
    }
    // Five sectors in a block with others that stay, one and one.
    assert_eq!(ops.iter().filter(|op| matches!(op, Op::Erase { .. })).count(), 7);
}

/// Two artifacts share one window: the platform is asked once, and nothing in between can end it.
#[test]
fn two_commits_are_one_window() {
    let (table, boot) = (noise(0xc00, 3), noise(0x2000, 4));
    let mut flash = NorMemory::erased(FLASH_LEN);
    flash.load_noise(at(0, FLASH_LEN), 11);
    flash.load(STAGING, &table);
    flash.load(FlashAddr(0x2_1000), &boot);
    let artifact = |name| Artifact {
        name,
        role: Role::Bootloader,
        origin: Origin::Embedded,
        dest: None,
        region_len_bytes: None,
        len_bytes: None,
        sha256: None,
        content: None,
        confirm: false,
        blanks: Blanks::NONE,
    };
    let names = [artifact("table"), artifact("bootloader")];
    let wanted = |from, to: Region| Wanted {
        from: Bytes::Flash(from),
        to,
        erasable: to.align_out(SECTOR_BYTES).unwrap(),
        reserved: None,
        gap: None,
        unused: None,
        keep_under_blank: false,
    };
    let commit_of = |artifact, bytes: &[u8], wanted| Commit {
        artifact,
        digest: Some(head(&Sha256::digest(bytes).into())),
        wanted,
        rest: Region::default(),
        padding: None,
        sectors: 0,
    };
    let mut commits = [
        commit_of(&names[0], &table, wanted(STAGING, at(0x8000, 0xc00))),
        commit_of(&names[1], &boot, wanted(FlashAddr(0x2_1000), at(0, 0x2000))),
    ];
    // The second one's first erase fails, torn.
    let device =
        Faulty::new(flash).with(When::Touching(at(0, 0x1000), 3), OpFault::FailsTorn { seed: 1 });
    let mut driver = Driver::<_, 4, 4>::with_alignment(device);
    let (mut log, mut buffer) = (Log::default(), [0; SECTOR]);
    let mut medium = Medium::new(&mut driver);
    let done = commit(&mut medium, &mut log, &mut buffer, &mut commits);
    assert_eq!(run_until_powered_off(done, &Power::new()), Some(Ok(())));
    assert_eq!(log.asked_to_commit, 1);
    let windows: Vec<&String> = log.lines.iter().filter(|line| line.contains("window")).collect();
    assert_eq!(windows.len(), 3, "{windows:?}");
    let flash = driver.into_device().into_inner();
    assert_eq!(flash.bytes(at(0x8000, 0xc00)), table);
    assert_eq!(flash.bytes(at(0, 0x2000)), boot);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any old contents, any new ones: the right bytes are in place at the end, blank pages are not
    /// programmed, equal sectors are not changed unless a cheaper block erase included them, and
    /// nothing else changes.
    #[test]
    fn any_contents_over_any_contents(
        len in 1..0x8000usize,
        seed: u64,
        blank in proptest::collection::vec(0..128usize, 0..60),
        sectors in proptest::collection::vec(0..4u8, 8),
        in_memory: bool,
    ) {
        let mut new = noise(len, seed);
        for page in blank {
            let pages = new.len().div_ceil(256);
            let page = page % pages * 256;
            let end = (page + 256).min(new.len());
            new[page..end].fill(0xff);
        }
        let mut case = Case::new(new, 0, at(0, 0x8000));
        case.in_memory = in_memory;
        let mut flash = case.flash();
        for (sector, kind) in (0u32..).zip(&sectors) {
            let start = sector * 0x1000;
            let range = (start as usize).min(len)..((start + 0x1000) as usize).min(len);
            match kind {
                0 => flash.load(FlashAddr(start), &case.new[range]),
                1 => flash.load(FlashAddr(start), &[0xff; 0x1000]),
                2 => {
                    // Some bits still to be cleared.
                    let more: Vec<u8> = case.new[range].iter().map(|byte| byte | 0x24).collect();
                    flash.load(FlashAddr(start), &more);
                }
                _ => {}
            }
        }
        let (ops, after) = case.ops(&flash);
        prop_assert!(after.bytes(case.to) == case.new);
        let outside = at(0x8000, FLASH_LEN - 0x8000);
        prop_assert!(after.bytes(outside) == flash.bytes(outside));
        let block = ops.iter().any(|op| matches!(op, Op::Erase { unit: EraseUnit::Block32K, .. }));
        for op in &ops {
            match op {
                Op::Program { addr, .. } => {
                    let page = case.to.intersection(Region::clamped(*addr, 256)).unwrap();
                    prop_assert!(!is_blank(&after.bytes(page)), "blank page programmed at {addr}");
                }
                Op::Erase { unit: EraseUnit::Sector4K, addr } => {
                    let part = case.to.intersection(Region::clamped(*addr, 0x1000)).unwrap();
                    let differs = flash.bytes(part) != after.bytes(part);
                    prop_assert!(differs, "equal sector erased at {addr}");
                }
                Op::Erase { .. } => {}
            }
            let sector = Region::clamped(op.addr().align_down(0x1000), 0x1000);
            let sector = case.to.intersection(sector);
            if !block && let Some(part) = sector {
                prop_assert!(flash.bytes(part) != after.bytes(part), "equal sector touched: {op}");
            }
        }
        prop_assert!(after.max_erase_count(at(0, FLASH_LEN)) <= 1);
        let counts: nor_sim::Counts = ops.into_iter().collect();
        // Four single sectors are never cheaper than the block, whatever else it erases.
        prop_assert!(counts.erase_4k <= 3 && counts.erases() <= 3, "{counts}");
    }
}
