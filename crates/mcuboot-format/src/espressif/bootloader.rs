//! What a bootloader's file says of the loader in it, as its bytes pass.

use esp_idf_format::Chip;
use esp_idf_format::image::{ImageVerifier, RomLoad};
use esp_idf_format::memory::other_bus;

use super::{ChipMemory, LoadFault, LoadHeader, MemoryRange, OF_ALL};

/// Reads a bootloader while the bytes of its file pass: where it lies in RAM, and what its loader
/// looks at.
#[derive(Clone, Debug)]
pub struct LoaderReader {
    chip: Chip,
    image: ImageVerifier,
    message: Message,
}

/// Follows the message that all loaders have, with something before it that tells them apart.
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

    /// Takes the next bytes of the file. What the ROM would not load is not objected to, and says
    /// nothing.
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
        // The first letter is nowhere else in the text, so there is only one place to go back to.
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

    /// Whether it looks at the LP segments; `None` where it was built to say nothing at all, or is
    /// none of Espressif's.
    #[must_use]
    pub const fn knows_lp_segments(&self) -> Option<bool> {
        self.knows_lp
    }

    /// The parts of RAM that must be left alone while it loads an application: its own code and its
    /// data. What it has besides, it no longer needs by then, and applications use that memory.
    ///
    /// The loader's code is the segment that it is entered in. Its data are the segments in data
    /// RAM; where instructions and data share their addresses, what lies behind the loader.
    /// (`iram_loader_seg` and `dram_seg` in `boot/espressif/port/<chip>/ld/bootloader.ld`; held
    /// against builds for each chip.)
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
    /// A loader that is not known to pass over LP segments is taken to look at them.
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
