//! All groups of keys, and the keys of those that are not about artifacts.

use super::artifacts::{APPLICATION, ARTIFACTS, BOOTLOADER};
use super::key::{Applies, Begin, Group, Key, List, NONE};
use super::kind::ValueKind;

/// The groups, in the order of the menu.
pub const GROUPS: [Group; 7] = [
    Group { title: "Device", keys: &DEVICE, list: None },
    Group { title: "Bootloader", keys: &BOOTLOADER, list: None },
    Group { title: "Application", keys: &APPLICATION, list: Some(ARTIFACTS) },
    Group { title: "Staging", keys: &STAGING, list: None },
    Group { title: "MCUboot map", keys: &MAP, list: None },
    Group { title: "Network", keys: &NETWORK, list: Some(NETWORKS) },
    Group { title: "Trust", keys: &TRUST, list: None },
];

const DEVICE: [Key; 5] = [
    Key::new(
        "chip",
        "Chip",
        ValueKind::Chip,
        "",
        "Chip of the devices. The ROM looks for a bootloader at 0x1000 on esp32 and esp32s2, at \
        0x0 on the others. Images for another chip are refused.",
    )
    .begin(Begin::Fitted("")),
    Key::new(
        "flash_size",
        "Flash size",
        ValueKind::FlashSize,
        "any, 4MB assumed here",
        "Flash size that the target system was built for. A device with less flash refuses the \
        migration before it erases anything.",
    )
    .begin(Begin::Fitted("")),
    Key::new(
        "partitions",
        "Partition table",
        ValueKind::File,
        NONE,
        "The devices' partition table as it is today, under ESP-IDF: CSV or binary, relative to \
        this file. It is used for planning here; a device reads its own from flash.",
    )
    .begin(Begin::Fitted("as on the devices today")),
    Key::new(
        "running",
        "Migrator runs in",
        ValueKind::AppLabel,
        "factory or first app",
        "Label of the app partition to which the old firmware's update writes the migrator. A \
        device finds it by itself. `--running` overrides it. With a dump, all partitions that the \
        update can reach are planned for instead.",
    )
    .begin(Begin::Fitted("")),
    Key::new(
        "partition_table_offset",
        "Table offset",
        ValueKind::Address,
        "found on a device, 0x8000 assumed here",
        "Where the devices' partition table is (`CONFIG_PARTITION_TABLE_OFFSET`). A device or a \
        dump shows it. If it is not 0x8000, set it, so that a plan from a CSV does not overwrite \
        the table.",
    )
    .begin(Begin::Comment("0x8000", "CONFIG_PARTITION_TABLE_OFFSET of the devices")),
];

const STAGING: [Key; 2] = [
    Key::new(
        "staging.label",
        "Partition",
        ValueKind::Label,
        "chosen by the planner",
        "Label of the partition in which artifacts wait until they are verified. Without it, the \
        planner chooses a region that nothing else uses.",
    )
    .begin(Begin::Comment("\"storage\"", "where artifacts are staged; else the planner chooses")),
    Key::new(
        "staging.memory",
        "In memory",
        ValueKind::Truth,
        "false",
        "Whether the bootloader is staged in memory instead of flash; not together with a \
        partition. The prebuilt firmware has no memory for it.",
    ),
];

const MAP: [Key; 11] = [
    Key::new(
        "mcuboot.primary.offset",
        "Primary, start",
        ValueKind::Address,
        "",
        "Start of MCUboot's primary slot, from which applications run; a multiple of 0x1000. As \
        compiled into the bootloader (CONFIG_ESP_APPLICATION_PRIMARY_START_ADDRESS).",
    ),
    Key::new(
        "mcuboot.primary.size",
        "Primary, size",
        ValueKind::Length,
        "",
        "Bytes of the primary slot (CONFIG_ESP_APPLICATION_SIZE), its trailer included; a multiple \
        of 0x1000.",
    ),
    Key::new(
        "mcuboot.secondary.offset",
        "Secondary, start",
        ValueKind::Address,
        "",
        "Start of MCUboot's secondary slot, to which the migrator writes the application \
        (CONFIG_ESP_APPLICATION_SECONDARY_START_ADDRESS).",
    ),
    Key::new(
        "mcuboot.secondary.size",
        "Secondary, size",
        ValueKind::Length,
        "",
        "Bytes of the secondary slot; the same as for the primary slot, or 0x1000 less for swap \
        using move, or 0x1000 more for swap using offset.",
    ),
    Key::new(
        "mcuboot.scratch.offset",
        "Scratch, start",
        ValueKind::Address,
        NONE,
        "Start of the scratch area, through which sectors are swapped \
        (CONFIG_ESP_SCRATCH_OFFSET). Required for swap using scratch, ignored for the others.",
    )
    .applies(Applies::WithScratch),
    Key::new(
        "mcuboot.scratch.size",
        "Scratch, size",
        ValueKind::Length,
        NONE,
        "Bytes of the scratch area (CONFIG_ESP_SCRATCH_SIZE). Required for swap using scratch, \
        ignored for the others.",
    )
    .applies(Applies::WithScratch),
    Key::new(
        "mcuboot.swap",
        "Swap",
        ValueKind::Swap,
        "scratch",
        "How MCUboot was built to install the application in the primary slot: swap using \
        scratch, move or offset, or overwrite, which keeps nothing of the old firmware.",
    )
    .begin(Begin::Fitted("scratch | move | offset | overwrite")),
    Key::new(
        "mcuboot.max_align",
        "Alignment",
        ValueKind::Align,
        "8",
        "Alignment of the fields in the trailer in bytes (BOOT_MAX_ALIGN); 8 in Espressif's port. \
        With a wrong one MCUboot does not find the trailer and does not swap.",
    )
    .begin(Begin::Value("8", "")),
    Key::new(
        "mcuboot.max_sectors",
        "Sectors",
        ValueKind::Sectors,
        "the bootloader's, or 512",
        "Number of sectors of 0x1000 bytes in a slot that the bootloader has room for \
        (MCUBOOT_MAX_IMG_SECTORS); 512 in Espressif's port. With larger slots it boots nothing. \
        The length of the trailer depends on it, too.",
    )
    .begin(Begin::Comment("512", "else read from the bootloader's file")),
    Key::new(
        "mcuboot.downgrade_prevention",
        "Downgrades",
        ValueKind::DowngradePrevention,
        "the bootloader's, or none",
        "What the bootloader compares before it replaces an image \
        (CONFIG_ESP_DOWNGRADE_PREVENTION). With version, an ESP-IDF app in the primary slot reads \
        as 0.0.256: MCUboot erases an application with a lower version.",
    )
    .begin(Begin::Comment("\"none\"", "none | version | security-counter")),
    Key::new(
        "mcuboot.overwrite_fast",
        "Overwrite fast",
        ValueKind::Truth,
        "the bootloader's, or false",
        "Whether a bootloader that overwrites copies only the image \
        (MCUBOOT_OVERWRITE_ONLY_FAST), as Zephyr's port does.",
    )
    .applies(Applies::WithOverwrite),
];

const NETWORK: [Key; 9] = [
    Key::new(
        "network.old_credentials",
        "Old firmware's Wi-Fi",
        ValueKind::Truth,
        "true",
        "Whether a device tries the old firmware's network, whose name and password are in its \
        NVS. It is tried after those of [[network.wifi]].",
    )
    .applies(Applies::WithWifi)
    .begin(Begin::Comment("true", "try the old firmware's Wi-Fi")),
    Key::new(
        "network.rescue.ssid",
        "Rescue, SSID",
        ValueKind::Ssid,
        NONE,
        "Name of a network that is tried last. It can be set up near a device that finds no other \
        network.",
    )
    .applies(Applies::WithWifi),
    Key::new(
        "network.rescue.password",
        "Rescue, password",
        ValueKind::Password,
        "open network",
        PASSWORD,
    )
    .applies(Applies::WithWifi),
    Key::new(
        "network.rescue.ssid_hex",
        "Rescue, SSID as bytes",
        ValueKind::SsidHex,
        NONE,
        "The name in hexadecimal digits, for a name that is not UTF-8.",
    )
    .applies(Applies::WithWifi),
    Key::new(
        "network.hostname",
        "Host name",
        ValueKind::Hostname,
        NONE,
        "Name that a device gives to DHCP servers.",
    )
    .applies(Applies::WithWifi),
    Key::new(
        "log.level",
        "Console log",
        ValueKind::LogLevel,
        "info",
        "How much the migrator writes to its console. Progress in bytes needs debug.",
    )
    .begin(Begin::Comment("\"info\"", "off | error | warn | info | debug | trace")),
    Key::new(
        "migrator.version",
        "Version",
        ValueKind::Identity,
        "that of the firmware image",
        "Version in the migrator's app descriptor. Use a newer one than the old firmware's if the \
        update channel compares them. `pack --version` overrides it.",
    ),
    Key::new(
        "migrator.project",
        "Project",
        ValueKind::Identity,
        "that of the firmware image",
        "Project name in the migrator's app descriptor. Use the old firmware's if the update \
        channel compares them. `pack --project` overrides it.",
    ),
    Key::new(
        "migrator.secure_version",
        "Secure version",
        ValueKind::SecureVersion,
        "that of the firmware image",
        "Version for anti-rollback in the migrator's image. An old bootloader with anti-rollback \
        starts no app with a lower version than that in the eFuses. `pack --secure-version` \
        overrides it.",
    ),
];

const PASSWORD: &str = "Its password: 8 to 63 bytes, or a key of 64 hexadecimal digits. This file \
    and the migrator contain it in plain text: keep both secret.";

const NETWORKS: List = List {
    path: "network.wifi",
    entry: "Wi-Fi network",
    applies: Applies::WithWifi,
    help: "A network that devices try first, in this order. At most 8.",
    keys: &[
        Key::new(
            "network.wifi[].ssid",
            "SSID",
            ValueKind::Ssid,
            "the name in `ssid_hex`",
            "Name of the network as set in its access point, at most 32 bytes.",
        )
        .applies(Applies::WithWifi),
        Key::new(
            "network.wifi[].password",
            "Password",
            ValueKind::Password,
            "open network",
            PASSWORD,
        )
        .applies(Applies::WithWifi),
        Key::new(
            "network.wifi[].ssid_hex",
            "SSID as bytes",
            ValueKind::SsidHex,
            NONE,
            "The name in hexadecimal digits, for a name that is not UTF-8.",
        )
        .applies(Applies::WithWifi),
    ],
};

const TRUST: [Key; 3] = [
    Key::new(
        "mcuboot.public_key",
        "Public key",
        ValueKind::File,
        NONE,
        "The public key that the bootloader was built with, as PEM or DER, relative to this file. \
        The application must be signed with it. Without it, the key is read from the bootloader's \
        file.",
    )
    .begin(Begin::Comment("\"root.pub.pem\"", "key that the bootloader was built with, if any")),
    Key::new(
        "allow.test_image",
        "Allow trial",
        ValueKind::Truth,
        "false",
        "Accept an application that MCUboot runs on trial only. If it does not confirm itself, \
        MCUboot reverts at the next reset to the slot's old contents, which do not boot.",
    ),
    Key::new(
        "allow.overwrite",
        "May be overwritten",
        ValueKind::Labels,
        "nothing",
        "Labels of the owner's data that the target may overwrite, such as nvs or \
        partition-table. A migration that would overwrite anything else is refused.",
    )
    .begin(Begin::Comment("[\"nvs\"]", "what the target may overwrite")),
];
