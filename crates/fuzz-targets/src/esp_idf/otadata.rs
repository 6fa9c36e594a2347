//! Otadata: which app the ESP-IDF bootloader starts, against a second opinion.

use arbitrary::{Result, Unstructured};
use esp_idf_format::otadata::{
    BootSlot, ENTRY_LEN_BYTES, OtaData, OtaDataError, OtaState, boot_order,
};

type Sector = [u8; ENTRY_LEN_BYTES];

/// Reads two entries, chooses, and writes the entry that makes another choice.
///
/// The input is two entries, then how they are damaged and what is asked.
pub fn otadata(input: &[u8]) {
    // An input that is too short is left out.
    let _ = run(&mut Unstructured::new(input));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut sectors: [Sector; 2] = u.arbitrary()?;
    for sector in &mut sectors {
        if u.arbitrary()? {
            let crc = crc(sector);
            sector[28..].copy_from_slice(&crc);
        }
    }
    let (ota_count, ota_index, rollback): (u8, u8, bool) = u.arbitrary()?;
    let data = OtaData::parse(&sectors[0], &sectors[1]);
    for (entry, sector) in data.entries.iter().zip(&sectors) {
        match entry {
            Ok(entry) => assert_eq!(entry.to_bytes(), *sector),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        assert_eq!(entry.is_ok(), good(sector).is_some());
    }
    let selected = select(&sectors, ota_count);
    assert_eq!(as_pair(&data, ota_count), selected);
    check_boot(&data, sectors, ota_count, rollback);
    check_order(&data, ota_count);
    check_entry_for(&data, sectors, ota_index, ota_count);
    Ok(())
}

fn as_pair(data: &OtaData, ota_count: u8) -> Option<(usize, u8)> {
    data.select(ota_count).map(|selection| (selection.entry_index, selection.ota_index))
}

/// `esp_rom_crc32_le(UINT32_MAX, ..)` over the sequence.
fn crc(sector: &Sector) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new_with_initial(u32::MAX);
    crc.update(&sector[..4]);
    crc.finalize().to_le_bytes()
}

/// Sequence and state of an entry that counts (`bootloader_common_ota_select_valid`).
fn good(sector: &Sector) -> Option<(u32, u32)> {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| sector[at + i]));
    let whole = sector[..4] != [0xff; 4] && sector[28..] == crc(sector);
    whole.then(|| (word(0), word(24)))
}

/// Which entry decides, and for which slot.
fn select(sectors: &[Sector; 2], ota_count: u8) -> Option<(usize, u8)> {
    let candidates = (0..2).filter_map(|index| {
        let (seq, state) = good(&sectors[index])?;
        (state != 3 && state != 4).then_some((index, seq))
    });
    // The first of two that are alike.
    let (index, seq) = candidates.rev().max_by_key(|(_, seq)| *seq)?;
    let slot = seq.wrapping_sub(1).checked_rem(u32::from(ota_count))?;
    Some((index, slot as u8))
}

fn check_boot(data: &OtaData, mut sectors: [Sector; 2], ota_count: u8, rollback: bool) {
    let boot = data.boot(ota_count, rollback);
    let set_state = |sector: &mut Sector, state: u32| {
        sector[24..28].copy_from_slice(&state.to_le_bytes());
    };
    let mut expected = sectors;
    if rollback {
        for sector in &mut expected {
            if good(sector).is_some_and(|(_, state)| state == 1) {
                set_state(sector, 4);
            }
        }
    }
    let selected = select(&expected, ota_count);
    if let Some((index, _)) = selected.filter(|_| rollback)
        && good(&expected[index]).is_some_and(|(_, state)| state == 0)
    {
        set_state(&mut expected[index], 1);
    }
    for (sector, rewrite) in sectors.iter_mut().zip(boot.rewrites) {
        if let Some(entry) = rewrite {
            *sector = entry.to_bytes();
        }
    }
    assert_eq!(sectors, expected);
    let found = boot.selection.map(|selection| (selection.entry_index, selection.ota_index));
    assert_eq!(found, selected);
}

/// Checks that every place is tried once, and the selected slot first.
fn check_order(data: &OtaData, ota_count: u8) {
    let selection = data.select(ota_count);
    let order: Vec<BootSlot> = boot_order(selection, ota_count).collect();
    assert_eq!(order.len(), usize::from(ota_count) + 2);
    for slot in (0..ota_count).map(BootSlot::Ota).chain([BootSlot::Factory, BootSlot::Test]) {
        assert!(order.contains(&slot));
    }
    let first = selection.map_or(BootSlot::Factory, |selected| BootSlot::Ota(selected.ota_index));
    assert_eq!(order.first(), Some(&first));
}

/// Checks that the entry that selects a slot does so, and that a torn one changes nothing.
fn check_entry_for(data: &OtaData, sectors: [Sector; 2], ota_index: u8, ota_count: u8) {
    let before = select(&sectors, ota_count);
    let (index, entry) = match data.entry_for(ota_index, ota_count) {
        Ok(found) => found,
        Err(error @ OtaDataError::NoSuchSlot { .. }) => {
            assert!(ota_index >= ota_count && !error.to_string().is_empty());
            return;
        }
        Err(error) => {
            let in_force = before.and_then(|(index, _)| good(&sectors[index]));
            let seq = in_force.map_or(0, |(seq, _)| u64::from(seq));
            assert!(seq + u64::from(ota_count) >= u64::from(u32::MAX), "{error}");
            return;
        }
    };
    assert_ne!(Some(index), before.map(|(index, _)| index), "overwrites the entry in force");
    assert_eq!(entry.state, OtaState::Undefined);
    for len in 0..=ENTRY_LEN_BYTES {
        let mut torn = sectors;
        torn[index] = [0xff; ENTRY_LEN_BYTES];
        torn[index][..len].copy_from_slice(&entry.to_bytes()[..len]);
        let after = select(&torn, ota_count);
        let done = after == Some((index, ota_index));
        assert!(done || (after == before && len < ENTRY_LEN_BYTES), "torn at {len}");
    }
}
