//! A new migration file, from a chip and a partition table.
//!
//! The map is the example's where the devices have the example's table, and else what fits the table:
//! the two largest app partitions of one size as slots, and a scratch area where nothing is kept.

use std::fs;
use std::path::{Path, PathBuf};

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use super::judge::{Judge, Verdict};
use crate::Failure;

/// Bytes of the scratch area in the example.
const SCRATCH_LEN_BYTES: u32 = 0x4_0000;

/// Where the target system's parts can lie under a partition table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fit {
    primary: Region,
    secondary: Region,
    scratch: Option<Region>,
}

/// The text of a migration of devices with that chip and table; `path` is the file's to be.
///
/// # Errors
///
/// [`Failure::Input`] where the table cannot be read, or has no partition for an app.
pub fn new(chip: Chip, partitions: &Path, path: &Path) -> Result<String, Failure> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let name = relative(partitions, dir)?;
    let quoted = toml_edit::Value::from(name.as_str()).to_string();
    // The parser of migrations reads the table, so that its messages are the ones known from there.
    let probe = format!(
        "chip = \"{chip}\"\npartitions = {quoted}\n[bootloader]\nurl = \"http://192.168.100.101/\"\n"
    );
    let read = bootswap_migration::from_text(&probe, dir)
        .map_err(|problem| Failure::input(problem.message, problem.help))?;
    let table = read.partition_table.unwrap_or_default();
    let table = PartitionTable::parse(&table)
        .map_err(|error| Failure::input(format_args!("{name}: {error}"), "correct the table"))?;
    let all: Vec<Partition> = table.iter().collect();
    let end = all.iter().map(|p| p.region.end()).max().unwrap_or_default();
    let size = FlashSize::ALL
        .into_iter()
        .filter(|size| size.bytes() >= end.get())
        .min_by_key(|size| size.bytes().max(bootswap_migration::facts::ASSUMED_FLASH_SIZE.bytes()));
    let size = size.unwrap_or(bootswap_migration::facts::ASSUMED_FLASH_SIZE);
    let flash = Region::clamped(FlashAddr::ZERO, size.bytes());
    // Where an update can bring the migrator to, the factory partition first.
    let others = all.iter().copied().filter(|p| p.is_app() && !p.is_factory());
    let apps: Vec<Partition> = table.factory().into_iter().chain(others).collect();
    if apps.is_empty() {
        return Err(Failure::input(
            format_args!("{name} has no partition for an app"),
            "name the partition table of the devices as they are now, under ESP-IDF",
        ));
    }
    let fit = fit(&all, flash);
    let swaps = match fit {
        Some(Fit { scratch: None, .. }) => &[SwapKind::Move, SwapKind::Overwrite][..],
        _ => &[SwapKind::Scratch],
    };
    let texts = apps.iter().flat_map(|running| {
        swaps.iter().map(|swap| text(chip, size, &quoted, running, fit, *swap))
    });
    let texts: Vec<String> = texts.collect();
    // The first that would be safe, so that there is something good to begin with.
    let judge = Judge::new(dir);
    let is_safe = |text: &&String| matches!(judge.judge(text).verdict, Verdict::Safe(_));
    let best = texts.iter().find(is_safe).or(texts.first());
    Ok(best.cloned().unwrap_or_default())
}

/// The path as it is named from that directory.
fn relative(file: &Path, dir: &Path) -> Result<String, Failure> {
    let whole = |path: &Path| -> Result<PathBuf, Failure> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::canonicalize(path).map_err(|error| Failure::file("read", path, &error))
    };
    let (file, dir) = (whole(file)?, whole(dir)?);
    let name = file.strip_prefix(&dir).unwrap_or(&file);
    match name.to_str() {
        // Backslashes are none of a path that is to be the same everywhere.
        Some(name) => Ok(if cfg!(windows) { name.replace('\\', "/") } else { name.to_owned() }),
        None => Err(Failure::input(
            format_args!("the path {} is not UTF-8", file.display()),
            "name the partition table by a path that is",
        )),
    }
}

/// Slots and scratch area for a table.
fn fit(partitions: &[Partition], flash: Region) -> Option<Fit> {
    let mut apps: Vec<Region> =
        partitions.iter().filter(|p| p.is_app()).map(|p| p.region).collect();
    apps.sort_by_key(|region| region.start());
    let pairs = apps
        .iter()
        .enumerate()
        .flat_map(|(index, a)| apps.iter().skip(index + 1).map(move |b| (*a, *b)));
    let len_bytes = |(a, b): &(Region, Region)| a.len_bytes().min(b.len_bytes());
    // The first of the largest.
    let (a, b) =
        pairs.reduce(|best, pair| if len_bytes(&pair) > len_bytes(&best) { pair } else { best })?;
    let slot_len_bytes = len_bytes(&(a, b)) / SECTOR_BYTES * SECTOR_BYTES;
    let (primary, secondary) = (a.prefix(slot_len_bytes), b.prefix(slot_len_bytes));
    let other = apps.iter().copied().find(|app| *app != a && *app != b);
    let end = partitions.iter().map(|p| p.region.end()).max().unwrap_or_default();
    let unclaimed = Region::new(end, flash.end());
    let scratch = other
        .into_iter()
        .chain(unclaimed)
        .map(|free| free.align_in(SECTOR_BYTES).prefix(SCRATCH_LEN_BYTES))
        .find(|free| free.len_bytes() == SCRATCH_LEN_BYTES);
    Some(Fit { primary, secondary, scratch })
}

/// The file.
fn text(
    chip: Chip,
    size: FlashSize,
    partitions: &str,
    running: &Partition,
    fit: Option<Fit>,
    swap: SwapKind,
) -> String {
    let running = running.label;
    let map = fit_map(fit.unwrap_or_else(example), swap);
    let [app, bootloader] = [("app_upd.bin", ""), ("mcuboot.bin", "\nsize = 0xf000                                 # its region; the offset follows from the chip")]
        .map(|(file, size)| source(chip, file) + size);
    let wifi = if chip.has_wifi() {
        "\n# [network]\n# old_credentials = true                      # try the old firmware's Wi-Fi\n"
    } else {
        ""
    };
    format!(
        r#"# From ESP-IDF to MCUboot. Check the values with whoever built bootloader and application:
# `bootswap config` explains each of them, `bootswap plan` judges them all.
chip       = "{chip}"
flash_size = "{size}"
partitions = {partitions:<32} # as on the devices today
running    = "{running}"

[mcuboot]                                     # the flash map compiled into the target bootloader
{map}max_align = 8
# public_key = "root.pub.pem"                 # key that the bootloader was built with, if any

[app]
{app}
# confirm = true                              # for an image that was signed without --pad --confirm

[bootloader]
{bootloader}

# [staging]
# label = "storage"                           # where artifacts wait; else the planner chooses

# [allow]
# overwrite = ["nvs"]                         # what the target may overwrite
{wifi}
# [log]
# level = "info"                              # off | error | warn | info | debug | trace
"#
    )
}

/// Where the file comes from: over the network, or with the migrator where there is none.
fn source(chip: Chip, file: &str) -> String {
    if chip.has_wifi() {
        format!("# file = \"{file}\"\nurl  = \"http://192.168.100.101:8070/{file}\"")
    } else {
        format!("file = \"{file}\"\n# url  = \"http://192.168.100.101:8070/{file}\"")
    }
}

fn fit_map(fit: Fit, swap: SwapKind) -> String {
    let table = |region: Region| {
        let offset = format!("{:#x},", region.start().get());
        format!("{{ offset = {offset:<9} size = {:#x} }}", region.len_bytes())
    };
    let Fit { primary, secondary, scratch } = fit;
    let scratch = match scratch {
        Some(scratch) => format!("scratch   = {}\n", table(scratch)),
        None => "# scratch   = { offset = 0x210000, size = 0x40000 }\n".to_owned(),
    };
    let swap = format!("\"{swap}\"");
    format!(
        "primary   = {}\nsecondary = {}\n{scratch}swap      = {swap:<33} # scratch | move | offset | overwrite\n",
        table(primary),
        table(secondary)
    )
}

/// The example's map, where the table has no two partitions for slots.
fn example() -> Fit {
    let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
    Fit {
        primary: slot(0x1_0000),
        secondary: slot(0x11_0000),
        scratch: Some(Region::clamped(FlashAddr(0x21_0000), SCRATCH_LEN_BYTES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new migration for that table, and what is said about it.
    fn begun(chip: Chip, table: &str) -> (String, Verdict) {
        let dir = tempfile::tempdir().unwrap();
        let partitions = dir.path().join("partitions.csv");
        fs::write(&partitions, table).unwrap();
        let text = new(chip, &partitions, &dir.path().join("new.toml")).unwrap();
        let verdict = Judge::new(dir.path()).judge(&text).verdict;
        (text, verdict)
    }

    const EXAMPLE: &str = "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
        phy_init,data,phy,0xf000,0x1000\nfactory,app,factory,0x10000,1M\nota_0,app,ota_0,,1M\nota_1,app,ota_1,,1M\n";

    #[test]
    fn the_examples_table_gives_the_examples_map() {
        let (text, verdict) = begun(Chip::Esp32s3, EXAMPLE);
        for line in [
            "chip       = \"esp32s3\"",
            "flash_size = \"4MB\"",
            "running    = \"factory\"",
            "primary   = { offset = 0x10000,  size = 0x100000 }",
            "secondary = { offset = 0x110000, size = 0x100000 }",
            "scratch   = { offset = 0x210000, size = 0x40000 }",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.contains("partitions = \"partitions.csv\" "), "{text}");
        assert!(matches!(verdict, Verdict::Safe(_)), "{verdict:?}");
    }

    #[test]
    fn a_table_of_two_apps_gives_its_own() {
        let table = "nvs,data,nvs,0x9000,0x5000\notadata,data,ota,0xe000,0x2000\n\
            app0,app,ota_0,0x10000,0x1E0000\napp1,app,ota_1,,0x1E0000\nspiffs,data,spiffs,,0x20000\n";
        let (text, verdict) = begun(Chip::Esp32c3, table);
        assert!(text.contains("primary   = { offset = 0x10000,  size = 0x1e0000 }"), "{text}");
        assert!(text.contains("secondary = { offset = 0x1f0000, size = 0x1e0000 }"), "{text}");
        // Nothing is left for a scratch area.
        assert!(text.contains("\n# scratch") && !text.contains("\"scratch\""), "{text}");
        assert!(matches!(verdict, Verdict::Safe(_)), "{verdict:?}");
    }

    #[test]
    fn a_chip_without_wifi_gets_its_files_with_the_migrator() {
        let (text, verdict) = begun(Chip::Esp32h2, EXAMPLE);
        assert!(text.contains("\nfile = \"app_upd.bin\"\n# url"), "{text}");
        assert!(!text.contains("[network]"), "{text}");
        assert!(
            matches!(&verdict, Verdict::Unreadable { field, .. } if field == "app.file"),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_table_without_apps_is_none_to_begin_with() {
        let dir = tempfile::tempdir().unwrap();
        let partitions = dir.path().join("p.csv");
        fs::write(&partitions, "nvs,data,nvs,0x9000,0x4000\n").unwrap();
        let failure = new(Chip::Esp32, &partitions, &dir.path().join("new.toml")).unwrap_err();
        assert_eq!(failure.status(), 2);
        let missing = new(Chip::Esp32, &dir.path().join("none"), Path::new("new.toml"));
        assert!(missing.unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn a_table_elsewhere_is_named_by_its_whole_path() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let partitions = there.path().join("p.csv");
        fs::write(&partitions, EXAMPLE).unwrap();
        let text = new(Chip::Esp32, &partitions, &here.path().join("new.toml")).unwrap();
        let whole = fs::canonicalize(&partitions).unwrap();
        assert!(text.contains(&format!("partitions = {:?}", whole.to_str().unwrap())), "{text}");
    }
}
