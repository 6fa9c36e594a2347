//! What a migration file says, before any file that it names is read.

use bootswap_config::LogLevel;
use bootswap_engine::ContainerEntry;
use bootswap_plan::{Role, Url};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use toml::de::DeTable;

use crate::network::{log_level, network};
use crate::problem::{At, Problem};
use crate::reader::{Field, Table};
use crate::{OwnedNetwork, OwnedStaging};

/// Keys of the document.
const DOCUMENT: [&str; 12] = [
    "chip",
    "flash_size",
    "partitions",
    "running",
    "mcuboot",
    "app",
    "bootloader",
    "artifact",
    "staging",
    "allow",
    "network",
    "log",
];
const MCUBOOT: [&str; 6] = ["primary", "secondary", "scratch", "swap", "max_align", "public_key"];
const REGION: [&str; 2] = ["offset", "size"];
const ARTIFACT: [&str; 6] = ["name", "file", "url", "dest", "size", "confirm"];
const STAGING: [&str; 2] = ["label", "memory"];
const ALLOW: [&str; 2] = ["test_image", "overwrite"];

/// Alignment of MCUboot's trailer fields in Espressif's port, and what is meant where none is named.
const DEFAULT_MAX_ALIGN_BYTES: u32 = 8;

/// A migration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) chip: Chip,
    pub(crate) flash_size: Option<FlashSize>,
    /// Path of the partition table.
    pub(crate) partitions: Option<At<String>>,
    pub(crate) running: Option<String>,
    pub(crate) mcuboot: Option<MapSpec>,
    /// In the order in which they are fetched; there is at least one.
    pub(crate) artifacts: Vec<ArtifactSpec>,
    pub(crate) staging: OwnedStaging,
    pub(crate) allow_test_image: bool,
    pub(crate) allow_overwrite: Vec<String>,
    pub(crate) network: OwnedNetwork,
    pub(crate) log_level: LogLevel,
}

/// `[mcuboot]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MapSpec {
    pub(crate) primary: Region,
    pub(crate) secondary: Region,
    /// Of swap using scratch alone; the other kinds have no use for one.
    pub(crate) scratch: Option<Region>,
    pub(crate) swap: SwapKind,
    pub(crate) max_align_bytes: u32,
    /// Path of the key.
    pub(crate) public_key: Option<At<String>>,
}

/// `[app]`, `[bootloader]` or one of `[[artifact]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ArtifactSpec {
    pub(crate) name: At<String>,
    pub(crate) role: Role,
    /// Path of the file.
    pub(crate) file: Option<At<String>>,
    pub(crate) url: Option<String>,
    pub(crate) dest: Option<Region>,
    /// Bytes of the region where `dest` is `None`.
    pub(crate) region_len_bytes: Option<u32>,
    pub(crate) confirm: bool,
}

/// Reads a migration file.
pub(crate) fn parse(text: &str) -> Result<Spec, Problem> {
    let document = DeTable::parse(text).map_err(|error| syntax(&error))?;
    let root = Table::document(&document, &DOCUMENT)?;
    let chip = parsed(root.required("chip", "\"esp32s3\"")?)?;
    let mcuboot = root.optional("mcuboot").map(map).transpose()?;
    let artifacts = artifacts(&root, mcuboot.is_some())?;
    let (allow_test_image, allow_overwrite) =
        root.optional("allow").map(allow).transpose()?.unwrap_or_default();
    Ok(Spec {
        chip,
        flash_size: root.optional("flash_size").map(parsed).transpose()?,
        partitions: owned_text(root.optional("partitions"))?,
        running: owned_text(root.optional("running"))?.map(|running| running.value),
        mcuboot,
        artifacts,
        staging: root.optional("staging").map(staging).transpose()?.unwrap_or_default(),
        allow_test_image,
        allow_overwrite,
        network: root.optional("network").map(network).transpose()?.unwrap_or_default(),
        log_level: root.optional("log").map(log_level).transpose()?.unwrap_or_default(),
    })
}

/// What is wrong with a migration's text by itself, whatever the files that it names hold.
pub fn check(text: &str) -> Option<Problem> {
    parse(text).err()
}

fn syntax(error: &toml::de::Error) -> Problem {
    let at = At { value: (), span: error.span().unwrap_or_default(), field: String::new() };
    at.problem(
        format_args!("no TOML: {}", error.message()),
        "see https://toml.io for how TOML is written",
    )
}

/// A text that stands for something; what it can be is in the error.
pub(crate) fn parsed<T>(field: Field<'_>) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = field.text()?;
    text.value
        .parse()
        .map_err(|error: T::Err| text.problem(format_args!("found {:?}", text.value), error))
}

pub(crate) fn owned_text(field: Option<Field<'_>>) -> Result<Option<At<String>>, Problem> {
    field.map(|field| field.text().map(|text| text.with(text.value.to_owned()))).transpose()
}

fn map(field: Field<'_>) -> Result<MapSpec, Problem> {
    const EXAMPLE: &str = "{ offset = 0x10000, size = 0x100000 }";
    let table = field.table(&MCUBOOT)?;
    let swap = table.optional("swap").map(parsed).transpose()?.unwrap_or(SwapKind::Scratch);
    let scratch = table.optional("scratch").map(region).transpose()?;
    if swap == SwapKind::Scratch && scratch.is_none() {
        table.required("scratch", "{ offset = 0x210000, size = 0x40000 }")?;
    }
    Ok(MapSpec {
        primary: region(table.required("primary", EXAMPLE)?)?,
        secondary: region(table.required("secondary", "{ offset = 0x110000, size = 0x100000 }")?)?,
        scratch: scratch.filter(|_| swap == SwapKind::Scratch),
        swap,
        max_align_bytes: match table.optional("max_align") {
            Some(field) => field.number()?.value,
            None => DEFAULT_MAX_ALIGN_BYTES,
        },
        public_key: owned_text(table.optional("public_key"))?,
    })
}

fn region(field: Field<'_>) -> Result<Region, Problem> {
    let table = field.table(&REGION)?;
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
                "{:#x} and {:#x} bytes more are behind the last address there is",
                offset.value, size.value
            ),
            "make the size smaller",
        )
    })
}

fn artifacts(root: &Table<'_>, has_map: bool) -> Result<Vec<ArtifactSpec>, Problem> {
    let mut artifacts = Vec::new();
    if let Some(field) = root.optional("app") {
        artifacts.push(artifact(&field.table(&ARTIFACT)?, Role::Application, has_map)?);
    }
    if let Some(field) = root.optional("artifact") {
        for table in field.tables(&ARTIFACT)? {
            artifacts.push(artifact(&table, Role::Other, has_map)?);
        }
    }
    if let Some(field) = root.optional("bootloader") {
        artifacts.push(artifact(&field.table(&ARTIFACT)?, Role::Bootloader, has_map)?);
    }
    if artifacts.is_empty() {
        return Err(root.here().problem(
            "there is nothing to place",
            "name what is to be placed in [app], [bootloader] or [[artifact]]",
        ));
    }
    for (index, artifact) in artifacts.iter().enumerate() {
        let name = &artifact.name;
        if artifacts.iter().take(index).any(|earlier| earlier.name.value == name.value) {
            return Err(name.problem(
                format_args!("a second artifact is called {:?}", name.value),
                "give each its own `name`",
            ));
        }
    }
    Ok(artifacts)
}

fn artifact(table: &Table<'_>, role: Role, has_map: bool) -> Result<ArtifactSpec, Problem> {
    let file = owned_text(table.optional("file"))?;
    let url = table.optional("url").map(url).transpose()?;
    if file.is_none() && url.is_none() {
        return Err(table.here().problem(
            "neither `file` nor `url` is there",
            "name the `url` that devices fetch it from, the `file` that is embedded in the migrator, or both",
        ));
    }
    let (dest, region_len_bytes) = place(table, role, has_map)?;
    let name = match owned_text(table.optional("name"))? {
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
    Ok(ArtifactSpec {
        name,
        role,
        file,
        url,
        dest,
        region_len_bytes,
        confirm: table.optional("confirm").map(|field| field.truth()).transpose()?.unwrap_or(false),
    })
}

/// Where it goes: a region of its own, or, for a bootloader, the length of the one that follows from
/// the chip.
fn place(
    table: &Table<'_>,
    role: Role,
    has_map: bool,
) -> Result<(Option<Region>, Option<u32>), Problem> {
    let dest = table.optional("dest").map(|field| field.number()).transpose()?;
    let size = table.optional("size").map(|field| field.number()).transpose()?;
    match (dest, size, role) {
        (Some(dest), Some(size), _) => Ok((Some(checked_region(&dest, &size)?), None)),
        (Some(_), None, _) => Err(missing(table, "size", "0x100000")),
        (None, Some(size), Role::Bootloader) => {
            checked_region(&size.with(0), &size)?;
            Ok((None, Some(size.value)))
        }
        (None, None, Role::Bootloader) => Ok((None, None)),
        (None, None, Role::Application) if has_map => Ok((None, None)),
        (None, Some(size), Role::Application) if has_map => Err(size.problem(
            "`size` without `dest` says nothing",
            "leave it out, the slot in [mcuboot] has its size; or add `dest`",
        )),
        (None, _, Role::Application) => {
            let missing = At { field: format!("{}.dest", table.here().field), ..table.here() };
            Err(missing.problem(
                "nothing says where the application goes",
                "describe the target bootloader's slots in [mcuboot], or add `dest` and `size`",
            ))
        }
        (None, _, Role::Other) => Err(missing(table, "dest", "0x10000")),
    }
}

fn missing(table: &Table<'_>, key: &str, example: &str) -> Problem {
    let at = At { field: format!("{}.{key}", table.here().field), ..table.here() };
    at.problem("missing", format_args!("add `{key} = {example}`"))
}

fn url(field: Field<'_>) -> Result<String, Problem> {
    let text = field.text()?;
    // `https` is accepted here although no build of the migrator has TLS yet: the simulator serves such
    // addresses without TLS, and a device refuses to fetch from them with `SourceError::NoTls`.
    match Url::parse(text.value) {
        Ok(url) => Ok(url.as_str().to_owned()),
        Err(error) => Err(text.problem(format_args!("found {:?}: {error}", text.value), URL_HELP)),
    }
}

/// What an address has to be.
pub const URL_HELP: &str =
    "write an address as in \"http://192.168.100.101:8070/app_upd.bin\", other characters as %20";

fn default_name(role: Role, file: Option<&At<String>>, url: Option<&String>) -> String {
    match role {
        Role::Application => "app".to_owned(),
        Role::Bootloader => "bootloader".to_owned(),
        Role::Other => {
            let path = file.map(|file| &file.value).or(url).map_or("", String::as_str);
            let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
            let stem = last.split_once('.').map_or(last, |(stem, _)| stem);
            if stem.is_empty() { "artifact".to_owned() } else { stem.to_owned() }
        }
    }
}

fn staging(field: Field<'_>) -> Result<OwnedStaging, Problem> {
    let table = field.table(&STAGING)?;
    let label = owned_text(table.optional("label"))?;
    let memory = table.optional("memory").map(|field| field.truth()).transpose()?.unwrap_or(false);
    match (label, memory) {
        (Some(label), true) => {
            Err(label.problem("`label` and `memory` exclude each other", "leave one of them out"))
        }
        (Some(label), false) => Ok(OwnedStaging::Label(label.value)),
        (None, true) => Ok(OwnedStaging::Memory),
        (None, false) => Ok(OwnedStaging::Auto),
    }
}

fn allow(field: Field<'_>) -> Result<(bool, Vec<String>), Problem> {
    let table = field.table(&ALLOW)?;
    let test_image =
        table.optional("test_image").map(|field| field.truth()).transpose()?.unwrap_or(false);
    let labels =
        table.optional("overwrite").map(|field| field.texts()).transpose()?.unwrap_or_default();
    Ok((test_image, labels.into_iter().map(|label| label.value.to_owned()).collect()))
}
