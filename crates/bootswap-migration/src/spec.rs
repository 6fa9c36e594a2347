//! What a migration file says, before the files that it names are read.

use bootswap_engine::ContainerEntry;
use bootswap_plan::{DEFAULT_MAX_SECTORS, MaskedUrl, Role, Scheme, Url};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use flash_region::{FlashAddr, REACHABLE_BYTES, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::TrailerConfig;

use crate::bootloader::Stated;
use crate::document::{Node, parse as parse_toml};
use crate::identity::{OwnedIdentity, check_identity};
use crate::keys::URL_HELP;
use crate::network::{log_level, network};
use crate::owned::{OwnedArtifact, OwnedMap, OwnedMigration, OwnedStaging};
use crate::problem::{At, Problem};
use crate::reader::{Field, Table};

/// Alignment of MCUboot's trailer fields in Espressif's port, and the default of the key.
const DEFAULT_MAX_ALIGN_BYTES: u32 = TrailerConfig::espressif(SwapKind::Scratch).max_align;

/// A migration without the contents of the files that it names, and the positions of their names.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The migration.
    pub(crate) migration: OwnedMigration,
    /// The flash size that the partition table must fit.
    pub(crate) flash_size: Option<FlashSize>,
    /// Path of the partition table.
    pub(crate) partitions: Option<At<String>>,
    /// Path of MCUboot's public key.
    pub(crate) public_key: Option<At<String>>,
    /// What it states explicitly about the bootloader.
    pub(crate) stated: Stated,
    /// Path of each artifact's file; there is one for each artifact, and at least one artifact.
    pub(crate) files: Vec<Option<At<String>>>,
}

/// Reads a migration file.
pub(crate) fn parse(text: &str) -> Result<Spec, Problem> {
    let document = parse_toml(text).map_err(|error| syntax(&error))?;
    let root = Table::document(Node::Table(document.as_table()), text)?;
    let chip = root.required("chip", "\"esp32s3\"")?.parsed()?;
    let map = root.table("mcuboot")?.as_ref().map(map).transpose()?;
    let (mcuboot, public_key, stated) = match map {
        Some((map, public_key, stated)) => (Some(map), public_key, stated),
        None => (None, None, Stated::default()),
    };
    let artifacts = artifacts(&root, mcuboot.is_some())?.into_iter();
    let (artifacts, files) = artifacts.map(|spec| (spec.artifact, spec.file)).unzip();
    let flash_size = root.parsed::<FlashSize>("flash_size")?;
    let table_addr = table_addr(&root, chip)?;
    let allow = root.table("allow")?;
    let allow = allow.as_ref();
    let overwrite = allow.and_then(|allow| allow.optional("overwrite"));
    let migration = OwnedMigration {
        chip,
        flash_len_bytes: flash_size.map(FlashSize::bytes),
        table_addr,
        partition_table: None,
        running: root.text("running")?.map(|running| running.value),
        mcuboot,
        artifacts,
        staging: root.table("staging")?.as_ref().map(staging).transpose()?.unwrap_or_default(),
        commit: root
            .table("commit")?
            .map_or(Ok(None), |commit| commit.parsed("how"))?
            .unwrap_or_default(),
        allow_test_image: allow.map_or(Ok(false), |allow| allow.truth("test_image"))?,
        allow_overwrite: overwrite.map(|list| list.texts()).transpose()?.unwrap_or_default(),
        network: root.table("network")?.as_ref().map(network).transpose()?.unwrap_or_default(),
        log_level: root.table("log")?.as_ref().map(log_level).transpose()?.unwrap_or_default(),
        against: Vec::new(),
        assumed: Vec::new(),
        identity: root.table("migrator")?.as_ref().map(identity).transpose()?.unwrap_or_default(),
    };
    let partitions = root.text("partitions")?;
    Ok(Spec { migration, flash_size, partitions, public_key, stated, files })
}

/// Address of the devices' partition table: a sector after the bootloader's first one.
fn table_addr(root: &Table<'_>, chip: Chip) -> Result<Option<FlashAddr>, Problem> {
    let Some(offset) = root.number("partition_table_offset")? else { return Ok(None) };
    let addr = FlashAddr(offset.value);
    let reachable = Region::clamped(chip.bootloader_addr(), REACHABLE_BYTES);
    if addr.is_aligned(SECTOR_BYTES) && addr > reachable.start() && reachable.contains(addr) {
        return Ok(Some(addr));
    }
    Err(offset.problem(
        format_args!("{addr} is not the start of a sector between the bootloader and 0x1000000"),
        "write the devices' CONFIG_PARTITION_TABLE_OFFSET, a multiple of 0x1000, or leave it out",
    ))
}

/// Reads `[migrator]`.
fn identity(table: &Table<'_>) -> Result<OwnedIdentity, Problem> {
    let secure_version = table.optional("secure_version");
    Ok(OwnedIdentity {
        version: table.optional("version").map(identity_text).transpose()?,
        project: table.optional("project").map(identity_text).transpose()?,
        secure_version: secure_version.map(|field| field.number()).transpose()?.map(|at| at.value),
    })
}

fn identity_text(field: Field<'_>) -> Result<String, Problem> {
    let text = field.text()?;
    check_identity(text.value)
        .map_err(|error| text.problem(format_args!("found {:?}", text.value), error))?;
    Ok(text.value.to_owned())
}

/// What is wrong with a migration's text itself, whatever the files that it names contain.
pub fn check(text: &str) -> Option<Problem> {
    parse(text).err()
}

fn syntax(error: &toml_edit::TomlError) -> Problem {
    let at = At { value: (), span: error.span().unwrap_or_default(), field: String::new() };
    at.problem(
        format_args!("not valid TOML: {}", error.message()),
        "see https://toml.io for the syntax of TOML",
    )
}

/// `[mcuboot]`, the position of its key, and the values that it states and a bootloader's file may
/// show too.
fn map(table: &Table<'_>) -> Result<(OwnedMap, Option<At<String>>, Stated), Problem> {
    let swap = table.parsed("swap")?.unwrap_or(SwapKind::Scratch);
    let scratch = table.table("scratch")?.as_ref().map(region).transpose()?;
    if swap == SwapKind::Scratch && scratch.is_none() {
        return Err(table.missing("scratch", "{ offset = 0x210000, size = 0x40000 }"));
    }
    let slot = |key, example| match table.table(key)? {
        Some(slot) => region(&slot),
        None => Err(table.missing(key, example)),
    };
    let stated = Stated {
        max_sectors: max_sectors(table)?,
        downgrade_prevention: table.parsed("downgrade_prevention")?,
        overwrites_fast: table.stated_truth("overwrite_fast")?,
    };
    let map = OwnedMap {
        primary: slot("primary", "{ offset = 0x10000, size = 0x100000 }")?,
        secondary: slot("secondary", "{ offset = 0x110000, size = 0x100000 }")?,
        // The other kinds of swap do not use it.
        scratch: scratch.filter(|_| swap == SwapKind::Scratch),
        swap,
        max_align_bytes: table.number("max_align")?.map_or(DEFAULT_MAX_ALIGN_BYTES, |n| n.value),
        max_sectors: stated.max_sectors.unwrap_or(DEFAULT_MAX_SECTORS),
        downgrade_prevention: stated.downgrade_prevention.unwrap_or_default(),
        overwrites_fast: stated.overwrites_fast.unwrap_or_default(),
        key_der: None,
    };
    Ok((map, table.text("public_key")?, stated))
}

/// Sectors of the largest flash that image headers support, 128 MB.
const MAX_MAX_SECTORS: u32 = FlashSize::Mb128.bytes() / SECTOR_BYTES;

fn max_sectors(table: &Table<'_>) -> Result<Option<u32>, Problem> {
    let Some(sectors) = table.number("max_sectors")? else { return Ok(None) };
    match sectors.value {
        1..=MAX_MAX_SECTORS => Ok(Some(sectors.value)),
        _ => Err(sectors.problem(
            format_args!("{} sectors are not between 1 and {MAX_MAX_SECTORS}", sectors.value),
            "write MCUBOOT_MAX_IMG_SECTORS of the bootloader's build, 512 unless it was changed",
        )),
    }
}

fn region(table: &Table<'_>) -> Result<Region, Problem> {
    let offset = table.required("offset", "0x10000")?.number()?;
    let size = table.required("size", "0x100000")?.number()?;
    checked_region(&offset, &size)
}

fn checked_region(offset: &At<u32>, size: &At<u32>) -> Result<Region, Problem> {
    if size.value == 0 {
        return Err(size.problem("the size is 0", "write how many bytes there are"));
    }
    Region::from_len(FlashAddr(offset.value), size.value).ok_or_else(|| {
        size.problem(
            format_args!(
                "{:#x} and {:#x} bytes more end beyond the largest address",
                offset.value, size.value
            ),
            "make the size smaller",
        )
    })
}

/// An artifact without the contents of its file, and the positions of its file and its name.
struct ArtifactSpec {
    artifact: OwnedArtifact,
    file: Option<At<String>>,
    name: At<()>,
}

/// The artifacts, in the order in which they are fetched.
fn artifacts(root: &Table<'_>, has_map: bool) -> Result<Vec<ArtifactSpec>, Problem> {
    let app = root.table("app")?.map(|table| (table, Role::Application));
    let others = root.tables("artifact")?.into_iter().map(|table| (table, Role::Other));
    let bootloader = root.table("bootloader")?.map(|table| (table, Role::Bootloader));
    let mut artifacts: Vec<ArtifactSpec> = Vec::new();
    for (table, role) in app.into_iter().chain(others).chain(bootloader) {
        let spec = artifact(&table, role, has_map)?;
        let name = &spec.artifact.name;
        if artifacts.iter().any(|earlier| earlier.artifact.name == *name) {
            return Err(spec.name.problem(
                format_args!("a second artifact is called {name:?}"),
                "give each a different `name`",
            ));
        }
        // It is shown in terminals, which obey some characters instead of showing them.
        if name.contains(char::is_control) {
            return Err(spec.name.problem(
                format_args!("found {name:?}"),
                "give it a `name` of characters that can be shown",
            ));
        }
        artifacts.push(spec);
    }
    if artifacts.is_empty() {
        return Err(root
            .here()
            .problem("there is no artifact", "add [app], [bootloader] or [[artifact]]"));
    }
    Ok(artifacts)
}

/// `[app]`, `[bootloader]` or one of `[[artifact]]`.
fn artifact(table: &Table<'_>, role: Role, has_map: bool) -> Result<ArtifactSpec, Problem> {
    let file = table.text("file")?;
    let url = table.optional("url").map(url).transpose()?;
    if file.is_none() && url.is_none() {
        return Err(table.here().problem(
            "there is neither `file` nor `url`",
            "name the `url` that devices fetch it from, the `file` that is embedded in the \
             migrator, or both",
        ));
    }
    let (dest, region_len_bytes) = place(table, role, has_map)?;
    let name = match table.text("name")? {
        Some(name) => name,
        None => table.here().with(default_name(role, file.as_ref(), url.as_ref())),
    };
    if url.is_none() && ContainerEntry::new(&name.value, 0, 0, [0; 32]).is_err() {
        return Err(name.problem(
            format_args!(
                "the name {:?} has {} bytes, too many for an embedded artifact",
                name.value,
                name.value.len()
            ),
            "give it a `name` of at most 20 bytes",
        ));
    }
    let name_at = name.with(());
    let artifact = OwnedArtifact {
        name: name.value,
        role,
        url,
        bytes: None,
        dest,
        region_len_bytes,
        content: None,
        confirm: table.truth("confirm")?,
    };
    Ok(ArtifactSpec { artifact, file, name: name_at })
}

/// Its destination: an explicit region, or, for a bootloader, the length of the region that follows
/// from the chip.
fn place(
    table: &Table<'_>,
    role: Role,
    has_map: bool,
) -> Result<(Option<Region>, Option<u32>), Problem> {
    let (dest, size) = (table.number("dest")?, table.number("size")?);
    match (dest, size, role) {
        (Some(dest), Some(size), _) => Ok((Some(checked_region(&dest, &size)?), None)),
        (Some(_), None, _) => Err(table.missing("size", "0x100000")),
        (None, Some(size), Role::Bootloader) => {
            checked_region(&size.with(0), &size)?;
            Ok((None, Some(size.value)))
        }
        (None, None, Role::Bootloader) => Ok((None, None)),
        (None, None, Role::Application) if has_map => Ok((None, None)),
        (None, Some(size), Role::Application) if has_map => Err(size.problem(
            "`size` without `dest` has no effect",
            "leave it out, since the slot's size is in [mcuboot]; or add `dest`",
        )),
        (None, _, Role::Application) => {
            let missing = At { field: format!("{}.dest", table.here().field), ..table.here() };
            Err(missing.problem(
                "the application has no destination",
                "describe the target bootloader's slots in [mcuboot], or add `dest` and `size`",
            ))
        }
        (None, _, Role::Other) => Err(table.missing("dest", "0x10000")),
    }
}

fn url(field: Field<'_>) -> Result<String, Problem> {
    let text = field.text()?;
    match Url::parse(text.value) {
        // A device would refuse to fetch from it, `SourceError::NoTls`, and give the attempt up.
        Ok(url) if url.scheme() == Scheme::Https => Err(text.problem(
            format_args!("found {:?}: the firmware has no TLS", MaskedUrl(text.value)),
            "write an http:// URL, or leave `url` out and embed the `file` in the migrator; \
             devices accept no other file than the one that `file` names, however it comes",
        )),
        Ok(url) => Ok(url.as_str().to_owned()),
        Err(error) => {
            Err(text.problem(format_args!("found {:?}: {error}", MaskedUrl(text.value)), URL_HELP))
        }
    }
}

fn default_name(role: Role, file: Option<&At<String>>, url: Option<&String>) -> String {
    match role {
        Role::Application => "app".to_owned(),
        Role::Bootloader => "bootloader".to_owned(),
        Role::Other => {
            let path = file.map(|file| &file.value).or(url).map_or("", String::as_str);
            let path = path.split(['?', '#']).next().unwrap_or_default();
            let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
            let stem = last.split_once('.').map_or(last, |(stem, _)| stem);
            if stem.is_empty() { "artifact".to_owned() } else { stem.to_owned() }
        }
    }
}

fn staging(table: &Table<'_>) -> Result<OwnedStaging, Problem> {
    match (table.text("label")?, table.truth("memory")?) {
        (Some(label), true) => {
            Err(label.problem("`label` and `memory` exclude each other", "leave one of them out"))
        }
        (Some(label), false) => Ok(OwnedStaging::Label(label.value)),
        (None, true) => Ok(OwnedStaging::Memory),
        (None, false) => Ok(OwnedStaging::Auto),
    }
}
