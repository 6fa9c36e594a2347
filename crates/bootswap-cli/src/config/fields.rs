//! Every field of a migration file: in which group, of which kind, and what it is for.

use super::kind::Kind;

/// A field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Where it is in the file; `[]` stands for an entry of a list.
    pub path: &'static str,
    /// What the menu calls it.
    pub title: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What holds where the file does not say anything; empty where it has to.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
}

/// Fields that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What the menu calls it.
    pub title: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// The list that can be made longer here, if there is one.
    pub list: Option<List>,
}

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Where it is in the file.
    pub path: &'static str,
    /// What one entry is called.
    pub entry: &'static str,
    /// What entries are for.
    pub help: &'static str,
    /// Fields of each entry.
    pub fields: &'static [Field],
}

impl Field {
    /// Whether the file has to say it.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_empty()
    }
}

const fn field(
    path: &'static str,
    title: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Field {
    Field { path, title, kind, default, help }
}

/// What stands for "nothing".
const NONE: &str = "-";

/// The groups, in the order of the menu.
pub const GROUPS: [Group; 7] = [
    Group { title: "Device", fields: &DEVICE, list: None },
    Group { title: "Bootloader", fields: &BOOTLOADER, list: None },
    Group { title: "Application", fields: &APPLICATION, list: Some(ARTIFACTS) },
    Group { title: "Staging", fields: &STAGING, list: None },
    Group { title: "MCUboot map", fields: &MAP, list: None },
    Group { title: "Network", fields: &NETWORK, list: Some(NETWORKS) },
    Group { title: "Trust", fields: &TRUST, list: None },
];

const DEVICE: [Field; 4] = [
    field(
        "chip",
        "Chip",
        Kind::Chip,
        "",
        "Chip of the devices. It says where the ROM looks for a bootloader: at 0x1000 on \
        esp32 and esp32s2, at 0x0 on the others. Images for another chip are refused.",
    ),
    field(
        "flash_size",
        "Flash size",
        Kind::FlashSize,
        "4MB",
        "Flash of the devices, as the target system counts on it. A device with less refuses \
        the migration before anything is erased.",
    ),
    field(
        "partitions",
        "Partition table",
        Kind::File,
        NONE,
        "The devices' partition table as it is today, under ESP-IDF: CSV or binary, relative \
        to this file. What is planned here goes by it; a device reads its own from flash.",
    ),
    field(
        "running",
        "Migrator runs in",
        Kind::AppLabel,
        "factory or first app",
        "Label of the app partition that the old firmware's update brings the migrator to. \
        A device finds out by itself; here it decides what the migrator must not overwrite.",
    ),
];

const BOOTLOADER: [Field; 6] = [
    field(
        "bootloader.file",
        "File",
        Kind::File,
        NONE,
        "The target bootloader, an ESP image such as MCUboot's Espressif port builds. Relative to \
        this file. Size and SHA-256 are taken from it, and it is checked here already.",
    ),
    field(
        "bootloader.url",
        "URL",
        Kind::Url,
        "embedded",
        "Where devices fetch it from, over HTTP. Without, the file travels in the migrator's own \
        image and no network is needed.",
    ),
    field(
        "bootloader.size",
        "Region size",
        Kind::Length,
        "up to the table",
        "Bytes of flash that are the bootloader's. Where the region starts follows from the chip. \
        Nothing behind it is touched in the commit. As in 0xf000 or 60K.",
    ),
    field(
        "bootloader.dest",
        "Destination",
        Kind::Address,
        "from the chip",
        "Address that the bootloader goes to, where it is not the chip's own; the size has to be \
        said then. For merged images that begin elsewhere.",
    ),
    field(
        "bootloader.name",
        "Name",
        Kind::Text,
        "bootloader",
        "What plans and logs call it. At most 20 bytes if it is embedded.",
    ),
    field(
        "bootloader.confirm",
        "Confirm",
        Kind::Truth,
        "false",
        "Has a meaning for applications in an MCUboot slot only; leave it as it is.",
    ),
];

const APPLICATION: [Field; 6] = [
    field(
        "app.file",
        "File",
        Kind::File,
        NONE,
        "The target application, an MCUboot image as imgtool or `bootswap image sign` makes it. \
        Relative to this file. Size and SHA-256 are taken from it, and it is checked here already.",
    ),
    field(
        "app.url",
        "URL",
        Kind::Url,
        "embedded",
        "Where devices fetch it from, over HTTP. Without, the file travels in the migrator's own \
        image and no network is needed.",
    ),
    field(
        "app.confirm",
        "Confirm",
        Kind::Truth,
        "false",
        "Whether the migrator completes the trailer of an image that was signed without --pad \
        --confirm, so that MCUboot starts it for good.",
    ),
    field(
        "app.name",
        "Name",
        Kind::Text,
        "app",
        "What plans and logs call it. At most 20 bytes if it is embedded.",
    ),
    field(
        "app.dest",
        "Destination",
        Kind::Address,
        "a slot of the map",
        "Address that the file goes to as it is, instead of a slot of the MCUboot map. For \
        bootloaders other than MCUboot. The size has to be said along.",
    ),
    field(
        "app.size",
        "Region size",
        Kind::Length,
        NONE,
        "Bytes of flash that are the application's, from the destination on. Without a destination \
        it must not be there.",
    ),
];

const ARTIFACTS: List = List {
    path: "artifact",
    entry: "artifact",
    help: "Any other file, to any place: a partition table, a file system. It is fetched after the application \
        and before the bootloader.",
    fields: &[
        field(
            "artifact[].name",
            "Name",
            Kind::Text,
            "the file's",
            "What plans and logs call it; no two are called the same. At most 20 bytes if it is \
            embedded.",
        ),
        field(
            "artifact[].file",
            "File",
            Kind::File,
            NONE,
            "The file, relative to this one. Its size and SHA-256 are taken from it.",
        ),
        field(
            "artifact[].url",
            "URL",
            Kind::Url,
            "embedded",
            "Where devices fetch it from, over HTTP. Without, the file travels in the migrator's \
            own image.",
        ),
        field("artifact[].dest", "Destination", Kind::Address, "", "Address that it goes to."),
        field(
            "artifact[].size",
            "Region size",
            Kind::Length,
            "",
            "Bytes of flash that are its own, from the destination on.",
        ),
        field(
            "artifact[].confirm",
            "Confirm",
            Kind::Truth,
            "false",
            "Has a meaning for applications in an MCUboot slot only; leave it as it is.",
        ),
    ],
};

const STAGING: [Field; 2] = [
    field(
        "staging.label",
        "Partition",
        Kind::Label,
        "chosen by the planner",
        "Label of the partition that artifacts wait in until they are verified. Without, one is \
        chosen that is in nobody's way.",
    ),
    field(
        "staging.memory",
        "In memory",
        Kind::Truth,
        "false",
        "Whether the bootloader waits in memory instead of flash. A partition must not be named \
        then. After a power cut it is fetched again.",
    ),
];

const MAP: [Field; 8] = [
    field(
        "mcuboot.primary.offset",
        "Primary, start",
        Kind::Address,
        "",
        "Where MCUboot's primary slot starts, from which applications run. As compiled into the \
        bootloader (CONFIG_ESP_APPLICATION_PRIMARY_START_ADDRESS).",
    ),
    field(
        "mcuboot.primary.size",
        "Primary, size",
        Kind::Length,
        "",
        "Bytes of the primary slot (CONFIG_ESP_APPLICATION_SIZE), its trailer included. As in \
        0x100000 or 1M.",
    ),
    field(
        "mcuboot.secondary.offset",
        "Secondary, start",
        Kind::Address,
        "",
        "Where MCUboot's secondary slot starts, in which the migrator leaves the application \
        (CONFIG_ESP_APPLICATION_SECONDARY_START_ADDRESS).",
    ),
    field(
        "mcuboot.secondary.size",
        "Secondary, size",
        Kind::Length,
        "",
        "Bytes of the secondary slot; the same as of the primary one.",
    ),
    field(
        "mcuboot.scratch.offset",
        "Scratch, start",
        Kind::Address,
        "with swap scratch only",
        "Where the scratch area starts that sectors are swapped through \
        (CONFIG_ESP_SCRATCH_OFFSET). Only swap using scratch has one.",
    ),
    field(
        "mcuboot.scratch.size",
        "Scratch, size",
        Kind::Length,
        "with swap scratch only",
        "Bytes of the scratch area (CONFIG_ESP_SCRATCH_SIZE).",
    ),
    field(
        "mcuboot.swap",
        "Swap",
        Kind::Swap,
        "scratch",
        "How MCUboot brings the application to the primary slot, as it was built: by swapping using \
        scratch, move or offset, or by overwriting, after which nothing of the old firmware is left.",
    ),
    field(
        "mcuboot.max_align",
        "Alignment",
        Kind::Align,
        "8",
        "Alignment of the fields in the trailer in bytes (BOOT_MAX_ALIGN); 8 in Espressif's port. \
        With another one MCUboot does not find the trailer, and does not swap.",
    ),
];

const NETWORK: [Field; 5] = [
    field(
        "network.old_credentials",
        "Old firmware's Wi-Fi",
        Kind::Truth,
        "true",
        "Whether a device tries the network that the old firmware was in, whose name and password \
        are in its NVS. After those of the list below.",
    ),
    field(
        "network.rescue.ssid",
        "Rescue, SSID",
        Kind::Ssid,
        NONE,
        "A network that is tried last: somebody can open it near a device that finds no other.",
    ),
    field(
        "network.rescue.password",
        "Rescue, password",
        Kind::Password,
        "open network",
        "Its password: 8 to 63 bytes, or a key of 64 hexadecimal digits. It stands in this file and in the \
        migrator as it is: keep both as you keep it.",
    ),
    field(
        "network.hostname",
        "Host name",
        Kind::Hostname,
        NONE,
        "Name that a device gives to DHCP servers.",
    ),
    field(
        "log.level",
        "Console log",
        Kind::LogLevel,
        "info",
        "How much the migrator says on its console.",
    ),
];

const NETWORKS: List = List {
    path: "network.wifi",
    entry: "Wi-Fi network",
    help: "A network that devices try first, in this order.",
    fields: &[
        field(
            "network.wifi[].ssid",
            "SSID",
            Kind::Ssid,
            "",
            "Name of the network as its access point has it, at most 32 bytes.",
        ),
        field(
            "network.wifi[].password",
            "Password",
            Kind::Password,
            "open network",
            "Its password: 8 to 63 bytes, or a key of 64 hexadecimal digits. It stands in this file and in the \
        migrator as it is: keep both as you keep it.",
        ),
    ],
};

const TRUST: [Field; 3] = [
    field(
        "mcuboot.public_key",
        "Public key",
        Kind::File,
        NONE,
        "The key that the bootloader was built with, as PEM, relative to this file. With it the \
        application has to be signed, or MCUboot would not start it.",
    ),
    field(
        "allow.test_image",
        "Allow trial",
        Kind::Truth,
        "false",
        "Accept an application that MCUboot runs on trial only. If it does not confirm itself, MCUboot \
        goes back at the next reset to what is no bootable image.",
    ),
    field(
        "allow.overwrite",
        "May be overwritten",
        Kind::Labels,
        "nothing",
        "What of the owner's data the target may overwrite, by label and with commas: nvs, \
        partition-table. Everything else that is not named is kept, or the migration refused.",
    ),
];

/// Fields of which the value is nothing without another: both go if one is taken out.
#[must_use]
pub fn region_of(path: &str) -> Option<&'static str> {
    ["mcuboot.primary", "mcuboot.secondary", "mcuboot.scratch"]
        .into_iter()
        .find(|region| path.strip_prefix(region).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Field> {
        let own = GROUPS.iter().flat_map(|group| group.fields);
        own.chain(GROUPS.iter().filter_map(|g| g.list).flat_map(|list| list.fields))
            .copied()
            .collect()
    }

    #[test]
    fn every_field_has_a_help_text_that_fits_the_smallest_screen() {
        for field in all() {
            assert!(field.help.ends_with('.') && field.help.len() > 20, "{}", field.path);
            // Three lines of 78 columns, broken between words.
            assert!(field.help.len() <= 220, "{}: {}", field.path, field.help.len());
            assert!(field.title.len() <= 22, "{}", field.path);
        }
    }

    #[test]
    fn no_field_is_there_twice() {
        let paths: BTreeSet<&str> = all().iter().map(|field| field.path).collect();
        assert_eq!(paths.len(), all().len());
    }
}
