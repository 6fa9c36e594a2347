"""ESP-IDF's own code for partition tables: `table.py CSV TABLE_OFFSET CHIP OUT` writes the binary
table and prints where the bootloader starts an app that no otadata names."""

import sys

from esp_idf_defs import partitions

csv, offset, chip, out = sys.argv[1:]
bootloader = 0x1000 if chip in ("esp32", "esp32s2") else 0
with open(csv, "rb") as file:
    table, _ = partitions.PartitionTable.from_file(file, int(offset, 0), bootloader)
table.verify(int(offset, 0))
with open(out, "wb") as file:
    file.write(table.to_binary())
apps = [entry for entry in table if entry.type == partitions.APP_TYPE]
factory = [entry for entry in apps if entry.subtype == 0]
print(hex((factory or apps)[0].offset))
