//! esptool run over many files at once, and an ELF file that it can make an image of.

use std::collections::HashMap;
use std::path::Path;

use conformance::python;
use esp_idf_format::Chip;

/// What `esptool image-info` prints for an image.
pub struct ImageInfo {
    fields: HashMap<String, String>,
    /// Offset of the segment's header in the image, load address and length, of every segment.
    pub segments: Vec<[u32; 3]>,
}

impl ImageInfo {
    /// The text behind `name:`.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no {name:?} in {:?}", self.fields))
    }

    fn read(said: &str) -> Self {
        let fields = said.lines().filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, text)| (name.to_owned(), text.trim().to_owned())).collect();
        Self { fields, segments: said.lines().filter_map(segment_line).collect() }
    }
}

/// A line as `      0  0x017b8  0x3fff0040  0x00000018  DRAM`: number, length, address, offset.
fn segment_line(line: &str) -> Option<[u32; 3]> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let mut hex = || u32::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (len_bytes, load_addr, offset_bytes) = (hex()?, hex()?, hex()?);
    Some([offset_bytes, load_addr, len_bytes])
}

/// Runs `esptool image-info` over images, in one process because esptool takes long to start.
pub fn image_info(images: &[impl AsRef<[u8]>]) -> Vec<ImageInfo> {
    const SCRIPT: &str = "
import sys
from esptool.cmds import image_info
for path in sys.argv[1:]:
    print('=== image', flush=True)
    image_info(path)
";
    let dir = tempfile::tempdir().unwrap();
    let mut args = vec!["-c".into(), SCRIPT.into()];
    for (n, image) in images.iter().enumerate() {
        let path = dir.path().join(n.to_string());
        std::fs::write(&path, image).unwrap();
        args.push(path.into_os_string());
    }
    let said = python::run(args).expect_success().stdout;
    let infos: Vec<ImageInfo> = said.split("=== image\n").skip(1).map(ImageInfo::read).collect();
    assert_eq!(infos.len(), images.len(), "{said}");
    infos
}

/// Flash settings that esptool writes into the header of an image on its way to flash.
pub struct Mending<'a> {
    pub chip: Chip,
    pub image: &'a [u8],
    pub mode: &'a str,
    pub freq: &'a str,
    pub size: &'a str,
}

/// Runs `esptool merge-bin` with other flash settings over bootloaders.
pub fn merge_bin(mendings: &[Mending<'_>]) -> Vec<Vec<u8>> {
    const SCRIPT: &str = "
import os, sys
from esptool.cmds import merge_bin
os.chdir(sys.argv[1])
for line in open('jobs'):
    name, chip, addr, mode, freq, size = line.split()
    merge_bin([(int(addr), name)], chip, output=name + '.out', target_offset=int(addr),
              flash_freq=freq, flash_mode=mode, flash_size=size)
";
    let dir = tempfile::tempdir().unwrap();
    let mut jobs = String::new();
    for (n, mending) in mendings.iter().enumerate() {
        let Mending { chip, image, mode, freq, size } = mending;
        std::fs::write(dir.path().join(n.to_string()), image).unwrap();
        let addr = chip.bootloader_addr().get();
        jobs += &format!("{n} {chip} {addr} {mode} {freq} {size}\n");
    }
    std::fs::write(dir.path().join("jobs"), jobs).unwrap();
    python::run(["-c".as_ref(), SCRIPT.as_ref(), dir.path().as_os_str()]).expect_success();
    (0..mendings.len()).map(|n| read(dir.path(), &format!("{n}.out"))).collect()
}

/// Runs `esptool elf2image` over one ELF file a chip, with and without SHA-256 after the image.
pub fn elf2image(elves: &[(Chip, Vec<u8>)]) -> Vec<[Vec<u8>; 2]> {
    const SCRIPT: &str = "
import os, sys
from esptool.cmds import elf2image
os.chdir(sys.argv[1])
for chip in sys.argv[2:]:
    for digest in (True, False):
        elf2image(chip, chip, output=f'{chip}.{digest}', flash_mode='dio', flash_size='4MB',
                  elf_sha256_offset=0xb0, append_digest=digest)
";
    let dir = tempfile::tempdir().unwrap();
    let mut args = vec!["-c".into(), SCRIPT.into(), dir.path().as_os_str().to_owned()];
    for (chip, elf) in elves {
        std::fs::write(dir.path().join(chip.name()), elf).unwrap();
        args.push(chip.name().into());
    }
    python::run(args).expect_success();
    let image = |chip: &Chip, digest| read(dir.path(), &format!("{chip}.{digest}"));
    elves.iter().map(|(chip, _)| [image(chip, "True"), image(chip, "False")]).collect()
}

fn read(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap()
}

/// A section of an ELF file.
pub struct Section<'a> {
    pub name: &'a str,
    pub addr: u32,
    pub data: &'a [u8],
}

/// An executable ELF file for `chip`, with what esptool and espflash need: sections with contents,
/// and no segments.
///
/// ```text
///   | header, 52 | data of the sections | names | section table, 40 each |
/// ```
pub fn elf(chip: Chip, entry_addr: u32, sections: &[Section<'_>]) -> Vec<u8> {
    const XTENSA: u16 = 0x5e;
    const RISC_V: u16 = 0xf3;
    let machine = match chip {
        Chip::Esp32 | Chip::Esp32s2 | Chip::Esp32s3 => XTENSA,
        Chip::Esp32c3 | Chip::Esp32c6 | Chip::Esp32h2 => RISC_V,
    };
    let mut content = vec![0; 52];
    let mut names = b"\0.shstrtab\0".to_vec();
    let mut table = vec![[0; 10]];
    for Section { name, addr, data } in sections {
        content.resize(content.len().next_multiple_of(4), 0);
        // Name, PROGBITS, ALLOC and EXECINSTR, address, offset, length, links, alignment, entries.
        let (name_at, data_at) = (u32_of(names.len()), u32_of(content.len()));
        table.push([name_at, 1, 6, *addr, data_at, u32_of(data.len()), 0, 0, 4, 0]);
        names.extend(name.as_bytes());
        names.push(0);
        content.extend(*data);
    }
    table.push([1, 3, 0, 0, u32_of(content.len()), u32_of(names.len()), 0, 0, 1, 0]);
    content.extend(&names);
    content.resize(content.len().next_multiple_of(4), 0);

    let table_at = u32_of(content.len());
    let count = u16::try_from(table.len()).unwrap();
    content.extend(table.as_flattened().iter().flat_map(|word| word.to_le_bytes()));
    let mut header = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend([2u16, machine].iter().flat_map(|half| half.to_le_bytes()));
    header.extend([1, entry_addr, 0, table_at, 0].iter().flat_map(|word| word.to_le_bytes()));
    header.extend([52, 32, 0, 40, count, count - 1].iter().flat_map(|half| half.to_le_bytes()));
    content[..52].copy_from_slice(&header);
    content
}

fn u32_of(len_bytes: usize) -> u32 {
    u32::try_from(len_bytes).unwrap()
}
