//! Migrations as an owner writes them: a text, and the files that it names.

use arbitrary::Result;
use device_sim::{Board, McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, FlashSize, update_checksums};
use esp_idf_format::partition::{TABLE_LEN_BYTES, emit};
use flash_region::Region;

use super::app::{application, key_file};
use super::choose::Choices;
use super::device::{Device, UNIT};
use super::map::{Declared, compiled, other_place};
use super::other::other_system;

/// The lab's server.
const URL: &str = "http://192.168.100.101:8070";

/// A migration.
pub(super) struct Wanted {
    pub(super) text: String,
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The device's board with the target bootloader on it, as that was really built.
    pub(super) board: Board,
    /// What the target bootloader was built with, if it is MCUboot.
    pub(super) truth: Option<McubootConfig>,
    /// Whether the files travel in the migrator.
    pub(super) embedded: bool,
}

/// A migration while it is written.
pub(super) struct Draft {
    text: String,
    files: Vec<(String, Vec<u8>)>,
    embedded: bool,
    pub(super) allowed: Vec<String>,
}

impl Draft {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Names the file of an artifact.
    pub(super) fn file(&mut self, u: &mut Choices<'_>, name: &str, bytes: Vec<u8>) -> Result<()> {
        self.line(&format!("file = \"{name}\""));
        if !self.embedded {
            let url = format!("{URL}/{name}");
            let odd = [
                url.clone(),
                format!("http://lab:99999/{name}"),
                format!("http://[::1]/{name}"),
                format!("http://lab/{name}?{}", "x".repeat(600)),
            ];
            self.line(&format!("url = \"{}\"", u.mostly_first(64, &odd)?));
        }
        self.files.push((name.to_owned(), bytes));
        Ok(())
    }

    pub(super) fn dest(&mut self, region: Region) {
        let (start, len_bytes) = (region.start().get(), region.len_bytes());
        self.line(&format!("dest = {start:#x}\nsize = {len_bytes:#x}"));
    }
}

impl Wanted {
    /// A migration of that device; `None` for one whose files cannot be made.
    pub(super) fn choose(u: &mut Choices<'_>, device: &Device) -> Result<Option<Self>> {
        let embedded = !device.chip.has_wifi() || u.rarely(6)?;
        let mut draft =
            Draft { text: String::new(), files: Vec::new(), embedded, allowed: Vec::new() };
        draft.line(&format!("chip = \"{}\"", device.chip));
        let sizes = [None, Some(device.flash_size), Some(FlashSize::Mb2), Some(FlashSize::Mb8)];
        if let Some(size) = u.mostly_first(4, &sizes)? {
            draft.line(&format!("flash_size = \"{}MB\"", size.bytes() >> 20));
        }
        let mut truth = None;
        let board = if u.rarely(6)? {
            other_system(u, device, &mut draft)?
        } else {
            let compiled = truth.insert(compiled(u, device)?);
            mcuboot_system(u, device, &mut draft, compiled)?
        };
        let Some(board) = board else { return Ok(None) };
        others(u, device, &mut draft)?;
        rest(u, device, &mut draft)?;
        let Draft { text, files, embedded, .. } = draft;
        Ok(Some(Self { text, files, board, truth, embedded }))
    }
}

/// MCUboot and an application for it.
fn mcuboot_system(
    u: &mut Choices<'_>,
    device: &Device,
    draft: &mut Draft,
    truth: &McubootConfig,
) -> Result<Option<Board>> {
    let declared = Declared::choose(u, device, truth)?;
    draft.line(&declared.text);
    if let Some(key) = &declared.public_key {
        draft.line(&format!("public_key = \"{key}.pem\""));
        draft.files.push((format!("{key}.pem"), key_file(key).into()));
    }
    let Some(app) = application(u, device.chip, truth)? else { return Ok(None) };
    let chip = device.chip;
    let size = *u.mostly_first(8, &[device.flash_size, FlashSize::Mb2, FlashSize::Mb16])?;
    let len_bytes = *u.one_of(&[0x5000u32, 0x6800, 0x1800, 0x7000, 0xa000])?;
    let made = match u.below(24)? {
        // A file that shows nothing is only used if everything is declared.
        23 if declared.is_all => synthetic::bootloader(chip, size, len_bytes, 11),
        22 => synthetic::mcuboot(other_than(u, chip)?, size, len_bytes, 12, truth),
        _ => synthetic::mcuboot(chip, size, len_bytes, 13, truth),
    };
    let Ok(mut bootloader) = made else { return Ok(None) };
    let modes = [FlashMode::Dio, FlashMode::Qio, FlashMode::Dout];
    bootloader[2] = u.mostly_first(8, &modes)?.raw();
    if update_checksums(&mut bootloader).is_err() {
        return Ok(None);
    }
    let board = device.board.clone();
    // With slots that no MCUboot can have, the board knows no bootloader, and nothing starts.
    let board = board.clone().mcuboot(&bootloader, truth.clone()).unwrap_or(board);
    match u.below(24)? {
        // In one file, with gaps.
        23 => {
            let start = chip.bootloader_addr();
            let gap = truth.primary.start().bytes_since(start) as usize;
            if gap < bootloader.len() || gap > 0x10_0000 {
                return Ok(None);
            }
            let mut merged = bootloader;
            merged.resize(gap, 0xff);
            merged.extend(app);
            let len_bytes = u32::try_from(merged.len()).expect("a small file");
            draft.line("[[artifact]]\nname = \"merged\"");
            draft.dest(Region::clamped(start, len_bytes.next_multiple_of(0x1000)));
            draft.file(u, "merged.bin", merged)?;
            draft.allowed.push("partition-table".to_owned());
        }
        which => {
            draft.line("[app]");
            if u.rarely(12)? {
                let place = *u.one_of(&[truth.primary, truth.secondary])?;
                draft.dest(place);
            }
            if u.rarely(8)? {
                draft.line("confirm = true");
            }
            let app = damaged(u, app)?;
            draft.file(u, "app.bin", app)?;
            if which != 22 {
                draft.line("[bootloader]");
                let room = device.table_addr.bytes_since(chip.bootloader_addr());
                let sizes = [Some(room), None, Some(0xf000), Some(0x6000)];
                if let Some(size) = *u.one_of(&sizes)? {
                    draft.line(&format!("size = {size:#x}"));
                }
                let bootloader = damaged(u, bootloader)?;
                draft.file(u, "mcuboot.bin", bootloader)?;
            }
        }
    }
    Ok(Some(board))
}

/// Data, and files that an owner may take for data.
fn others(u: &mut Choices<'_>, device: &Device, draft: &mut Draft) -> Result<()> {
    let count = match u.below(6)? {
        4 => 1,
        5 => 2,
        _ => 0,
    };
    for index in 0..count {
        let behind = device.end().align_up(UNIT).unwrap_or_default();
        let free = Region::clamped(behind.saturating_add(0x10_0000), 0x1000 * u.within(1, 4)?);
        let table = Region::clamped(device.table_addr, 0x1000);
        let partition = u.one_of(&device.partitions)?.region;
        let (place, bytes) = match u.below(8)? {
            // A part of a partition, of any length.
            6 => {
                let start = partition.start().saturating_add(0x1000 * u.below(4)?);
                let len_bytes = u.within(1, 0x3000)?;
                (Region::clamped(start, len_bytes), crate::noise(43, len_bytes))
            }
            7 => {
                let app = synthetic::app(device.chip, "third", "1.0", 0x4000, 44);
                let start = u.one_of(&device.partitions)?.region.start();
                (Region::clamped(start, 0x4400), app.expect("a length that an app can have"))
            }
            0 | 1 => (free, crate::noise(40, free.len_bytes())),
            2 => (partition, crate::noise(41, partition.len_bytes().min(0x3000))),
            3 => {
                let mut bytes = vec![0xff; TABLE_LEN_BYTES as usize];
                let kept = device.partitions.len() - u.below(2)? as usize;
                let partitions = device.partitions.get(..kept).unwrap_or_default();
                // No tool writes a table that contradicts itself.
                if emit(partitions, &mut bytes).is_err() {
                    continue;
                }
                (table, bytes)
            }
            4 => (partition, vec![0xff; 0x2000]),
            _ => {
                let place = other_place(u, device)?;
                (place, crate::noise(42, u.within(1, place.len_bytes().min(0x2000))?))
            }
        };
        draft.line(&format!("[[artifact]]\nname = \"data{index}\""));
        draft.dest(place);
        draft.file(u, &format!("data{index}.bin"), bytes)?;
    }
    Ok(())
}

/// What is allowed, and where artifacts wait.
fn rest(u: &mut Choices<'_>, device: &Device, draft: &mut Draft) -> Result<()> {
    match u.below(12)? {
        10 => {
            let label = u.one_of(&device.partitions)?.label.to_string();
            draft.line(&format!("[staging]\nlabel = \"{label}\""));
        }
        11 => draft.line("[staging]\nmemory = true"),
        _ => {}
    }
    let labels = device.partitions.iter().filter(|p| !p.is_app()).map(|p| p.label.to_string());
    let labels: Vec<String> =
        labels.chain(["partition-table", "secure-boot-data"].map(str::to_owned)).collect();
    let mut allowed = std::mem::take(&mut draft.allowed);
    match u.below(4)? {
        3 => allowed = labels,
        2 => {
            for label in labels {
                if u.below(2)? == 1 {
                    allowed.push(label);
                }
            }
        }
        _ => {}
    }
    let allowed: Vec<String> = allowed.iter().map(|label| format!("\"{label}\"")).collect();
    let test_image = u.rarely(8)?;
    draft
        .line(&format!("[allow]\noverwrite = [{}]\ntest_image = {test_image}", allowed.join(", ")));
    Ok(())
}

/// A file; rarely one with a flipped bit, cut off, or with something after it.
pub(super) fn damaged(u: &mut Choices<'_>, mut file: Vec<u8>) -> Result<Vec<u8>> {
    let len = u32::try_from(file.len()).expect("a small file");
    match u.below(32)? {
        31 => {
            let at = u.below(len)? as usize;
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << u.below(8)?;
            }
        }
        30 => file.truncate(u.within(1, len)? as usize),
        29 => file.extend(crate::noise(50, u.within(1, 0x1000)?)),
        _ => {}
    }
    Ok(file)
}

/// A chip other than this one.
fn other_than(u: &mut Choices<'_>, chip: Chip) -> Result<Chip> {
    let others: Vec<Chip> = Chip::ALL.into_iter().filter(|other| *other != chip).collect();
    Ok(*u.one_of(&others)?)
}
