//! Reads what a bootloader's file says about its loader, while its bytes pass.

use esp_idf_format::Chip;
use esp_idf_format::image::{ImageVerifier, RomLoad};
use esp_idf_format::memory::other_bus;

use super::{ChipMemory, LoadFault, LoadHeader, MemoryRange, OF_ALL};

/// Reads a bootloader while the bytes of its file pass: where it lies in RAM, and what its loader
/// checks.
#[derive(Clone, Debug)]
pub struct LoaderReader {
    chip: Chip,
    image: ImageVerifier,
    message: Message,
}

/// Looks for the message that all loaders have, and for the byte before it, which tells them apart.
#[derive(Clone, Debug, Default)]
struct Message {
    matched: usize,
    last: u8,
    before: u8,
    of_any: bool,
    of_lp: bool,
}

/// What is known of the loader in a bootloader.
#[derive(Clone, Debug)]
pub struct Loader {
    chip: Chip,
    entry_addr: u32,
    loaded: Option<RomLoad>,
    knows_lp: Option<bool>,
}

impl LoaderReader {
    /// A reader before the first byte.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        let image = ImageVerifier::for_rom(chip, u32::MAX);
        Self { chip, image, message: Message::default() }
    }

    /// Takes the next bytes of the file. An image that the ROM would refuse is no error here;
    /// nothing more is learned about its segments.
    pub fn push(&mut self, bytes: &[u8]) {
        let _ = self.image.push(bytes);
        bytes.iter().for_each(|&byte| self.message.take(byte));
    }

    /// Ends the reading.
    #[must_use]
    pub fn finish(self) -> Loader {
        let Self { chip, image, message } = self;
        let entry_addr = image.header().map_or(0, |header| header.entry_addr);
        let knows_lp = message.of_any.then_some(message.of_lp);
        Loader { chip, entry_addr, loaded: image.rom_load().cloned(), knows_lp }
    }
}

impl Message {
    fn take(&mut self, byte: u8) {
        // The first letter occurs only once in the text, so a mismatch always starts again at the
        // first letter.
        if OF_ALL.get(self.matched) != Some(&byte) {
            self.matched = 0;
        }
        if OF_ALL.get(self.matched) == Some(&byte) {
            if self.matched == 0 {
                self.before = self.last;
            }
            self.matched += 1;
        }
        if self.matched == OF_ALL.len() {
            self.of_any = true;
            self.of_lp |= self.before == b'_';
            self.matched = 0;
        }
        self.last = byte;
    }
}

impl Loader {
    /// Reads a whole file.
    #[must_use]
    pub fn of(chip: Chip, bootloader: &[u8]) -> Self {
        let mut reader = LoaderReader::new(chip);
        reader.push(bootloader);
        reader.finish()
    }

    /// Whether it checks the LP segments; `None` if it was built without messages, or is not
    /// Espressif's.
    #[must_use]
    pub const fn knows_lp_segments(&self) -> Option<bool> {
        self.knows_lp
    }

    /// The parts of RAM that it needs while it loads an application: its own code and its data. It
    /// no longer needs its other segments by then, and applications use their memory.
    ///
    /// The loader's code is the segment with the entry point. Its data are the segments in data RAM
    /// or, if instructions and data share their addresses, the segments after the loader.
    /// (`iram_loader_seg` and `dram_seg` in `boot/espressif/port/<chip>/ld/bootloader.ld`; compared
    /// with builds for each chip.)
    pub fn taken(&self) -> impl Iterator<Item = MemoryRange> {
        let memory = ChipMemory::of(self.chip);
        let code = self.segments().find(|segment| segment.contains(self.entry_addr));
        let shared = memory.iram == memory.dram;
        self.segments().filter(move |segment| {
            let is_code = Some(*segment) == code;
            let is_data = if shared {
                code.is_some_and(|code| segment.start_addr >= code.end_addr)
            } else {
                memory.dram.contains(segment.start_addr)
            };
            is_code || is_data
        })
    }

    /// Checks that an application that passed [`LoadHeader::check`] starts with this loader.
    ///
    /// If it is not known whether a loader ignores LP segments, it is assumed to check them.
    ///
    /// # Errors
    ///
    /// As [`LoadHeader::check_lp_memory`] and [`LoadHeader::check_clear_of`].
    pub fn check(&self, header: &LoadHeader) -> Result<(), LoadFault> {
        if self.knows_lp.unwrap_or(true) {
            header.check_lp_memory(self.chip)?;
        }
        self.taken().try_for_each(|taken| {
            header.check_clear_of(taken)?;
            other_bus(self.chip, taken).map_or(Ok(()), |same| header.check_clear_of(same))
        })
    }

    fn segments(&self) -> impl Iterator<Item = MemoryRange> {
        self.loaded.iter().flat_map(RomLoad::segments)
    }
}
