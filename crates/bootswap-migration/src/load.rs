//! Loads a migration from its file and the files that it names.

use std::path::{Path, PathBuf};

use bootswap_plan::Role;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::{
    CsvPlaces, ENTRY_MAGIC, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES, emit, parse_csv,
};

use crate::bootloader;
use crate::content::classify;
use crate::input;
use crate::key_file::public_key;
use crate::owned::OwnedMigration;
use crate::problem::{At, LoadError, Problem};
use crate::spec::{self, Spec};
use crate::text;

/// Reads a migration file and everything that it names; paths in it are relative to its directory.
///
/// # Errors
///
/// A [`LoadError`] with field and position.
pub fn load(path: &Path) -> Result<OwnedMigration, LoadError> {
    load_with_files(path).map(|(migration, _)| migration)
}

/// As [`load`]; also returns the paths of all files that were read for it, so that none of them is
/// overwritten.
///
/// # Errors
///
/// As [`load`].
pub fn load_with_files(path: &Path) -> Result<(OwnedMigration, Vec<PathBuf>), LoadError> {
    let text = read_text(path)?;
    let mut files = NamedFiles::new(path.parent().unwrap_or(Path::new("")));
    let migration =
        from_files(&text, &mut files).map_err(|problem| LoadError::new(problem, path, &text))?;
    files.read.push(path.to_owned());
    Ok((migration, files.read))
}

/// As [`load`]; also returns the text of the file.
pub(crate) fn load_with_text(path: &Path) -> Result<(OwnedMigration, String), LoadError> {
    let text = read_text(path)?;
    Ok((parse(&text, path)?, text))
}

/// The text of a migration file.
fn read_text(path: &Path) -> Result<String, LoadError> {
    let bytes = input::bytes(path).map_err(|error| {
        let why = format_args!("cannot read {}: {error}", path.display());
        LoadError::of_file(why, input::help(&error))
    })?;
    if bytes.is_empty() {
        return Err(LoadError::of_file(
            format_args!("{} is empty", path.display()),
            "name a migration; `bootswap config FILE --chip CHIP --partitions TABLE` begins one",
        ));
    }
    of_bytes(path, bytes)
}

/// The text of a migration file with these bytes.
///
/// # Errors
///
/// A [`LoadError`] that says what the file is instead.
pub fn of_bytes(path: &Path, bytes: Vec<u8>) -> Result<String, LoadError> {
    text::text(bytes).map_err(|error| {
        LoadError::of_file(
            format_args!("{} is no migration, which is a text: {error}", path.display()),
            error.help(),
        )
    })
}

/// Reads a migration from `text`, and everything that it names, relative to the directory of
/// `path`.
///
/// # Errors
///
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<OwnedMigration, LoadError> {
    let dir = path.parent().unwrap_or(Path::new(""));
    from_text(text, dir).map_err(|problem| LoadError::new(problem, path, text))
}

/// Reads a migration from its text, and every file that it names; paths in it are relative to
/// `dir`.
///
/// # Errors
///
/// A [`Problem`] with field and position.
pub fn from_text(text: &str, dir: &Path) -> Result<OwnedMigration, Problem> {
    from_files(text, &mut NamedFiles::new(dir))
}

fn from_files(text: &str, named: &mut NamedFiles<'_>) -> Result<OwnedMigration, Problem> {
    let Spec { mut migration, flash_size, partitions, public_key, stated, files } =
        spec::parse(text)?;
    if let Some(file) = &partitions {
        let places = CsvPlaces {
            table: migration.table_addr.unwrap_or(TABLE_ADDR),
            bootloader: migration.chip.bootloader_addr(),
        };
        migration.partition_table = Some(table(file, named, places, flash_size)?);
    }
    if let Some((map, file)) = migration.mcuboot.as_mut().zip(public_key.as_ref()) {
        map.key_der = Some(key_der(file, named)?);
    }
    for (artifact, file) in migration.artifacts.iter_mut().zip(&files) {
        let Some(file) = file else { continue };
        artifact.bytes = Some(artifact_bytes(file, named, artifact.url.is_some())?);
    }
    // The application must be signed with the bootloader's own key.
    bootloader::compare(&mut migration, stated);
    let map = migration.mcuboot.as_ref();
    for (artifact, file) in migration.artifacts.iter_mut().zip(&files) {
        let (Some(file), Some(bytes)) = (file, &artifact.bytes) else { continue };
        let content = classify(bytes, artifact.role, map);
        artifact.content = Some(content.map_err(|damage| {
            let help = match artifact.role {
                Role::Bootloader => "build or copy the bootloader again",
                Role::Application | Role::Other => "build, sign or copy the file again",
            };
            file.failed(format_args!("{}: {damage}", file.value), help)
        })?);
        // An embedded artifact is treated as `bootswap pack` embeds it. On a chip that cannot fetch
        // anything, everything with a file is embedded.
        if artifact.url.is_none() || !migration.chip.has_wifi() {
            artifact.embed();
        }
    }
    Ok(migration)
}

/// The files that a migration names, all of which are read here.
struct NamedFiles<'a> {
    /// Directory that their paths are relative to.
    dir: &'a Path,
    /// The files that were read.
    read: Vec<PathBuf>,
}

impl<'a> NamedFiles<'a> {
    const fn new(dir: &'a Path) -> Self {
        Self { dir, read: Vec::new() }
    }

    /// Reads the file that a field names.
    fn read(&mut self, file: &At<String>, help: &str) -> Result<Vec<u8>, Problem> {
        let path = self.dir.join(&file.value);
        let bytes = input::bytes(&path).map_err(|error| {
            file.problem(format_args!("cannot read {}: {error}", path.display()), help)
        })?;
        self.read.push(path);
        Ok(bytes)
    }
}

/// The partition table in its binary form, from CSV or from that form.
///
/// A binary table is read as the bootloader of a device reads it, since it may come from there; a
/// table made from CSV must be as ESP-IDF's tools make it.
fn table(
    file: &At<String>,
    files: &mut NamedFiles<'_>,
    places: CsvPlaces,
    flash_size: Option<FlashSize>,
) -> Result<Vec<u8>, Problem> {
    let bytes = files
        .read(file, "name the devices' partition table, as CSV or binary, relative to this file")?;
    let name = &file.value;
    if bytes.is_empty() {
        return Err(file.problem(format_args!("{name} is empty"), "name a partition table"));
    }
    // As Espressif's tool tells a binary table from CSV.
    let table = if bytes.starts_with(&ENTRY_MAGIC) {
        bytes.get(..TABLE_LEN_BYTES as usize).unwrap_or(&bytes).to_vec()
    } else {
        let entries = parse_csv(&bytes, places)
            .map_err(|error| file.problem(format_args!("{name}: {error}"), error.help()))?;
        let mut table = vec![0; TABLE_LEN_BYTES as usize];
        emit(&entries, &mut table).map_err(|error| {
            file.problem(format_args!("{name}: {error}"), "name fewer partitions")
        })?;
        table
    };
    let parsed = PartitionTable::parse_as_bootloader(&table).map_err(|error| {
        file.problem(
            format_args!("{name}: {error}"),
            "name a partition table: CSV, the binary of a build, or the sector of a device that \
            contains it",
        )
    })?;
    if let Some(size) = flash_size {
        parsed.check_fits(places.table, size.bytes()).map_err(|error| {
            file.problem(format_args!("{name}: {error}"), "correct the table, or `flash_size`")
        })?;
    }
    Ok(table)
}

fn key_der(file: &At<String>, files: &mut NamedFiles<'_>) -> Result<Vec<u8>, Problem> {
    let bytes = files.read(
        file,
        "name the public key that the bootloader was built with, relative to this file",
    )?;
    public_key(&bytes)
        .map(|key| key.to_der())
        .map_err(|error| file.problem(format_args!("{}: {error}", file.value), error.help()))
}

fn artifact_bytes(
    file: &At<String>,
    named: &mut NamedFiles<'_>,
    has_url: bool,
) -> Result<Vec<u8>, Problem> {
    let help = if has_url {
        "name the file relative to this one, or leave `file` out, so that devices accept whatever \
        they fetch"
    } else {
        "name the file relative to this one"
    };
    let bytes = named.read(file, help)?;
    let largest_bytes = FlashSize::Mb128.bytes() as usize;
    match bytes.len() {
        0 => Err(file
            .problem(format_args!("{} is empty", file.value), "name a file with something in it")),
        len if len > largest_bytes => Err(file.problem(
            format_args!(
                "{} has {len} bytes, but no flash has more than {largest_bytes}",
                file.value
            ),
            "name the right file",
        )),
        _ => Ok(bytes),
    }
}
