//! The OpenCores Ethernet card of the emulators of ESP32 and ESP32-C3, polled.
//!
//! ```text
//!   REGISTERS    registers           descriptor:  | length << 16, flags | address of the frame |
//!   DESCRIPTORS  descriptors: first those for sending, then those for receiving, in a ring each
//! ```
//!
//! Source: "Ethernet IP Core Specification", OpenCores, chapters 3 and 4.

use core::fmt;
use core::ptr::{self, addr_of_mut};
use core::sync::atomic::{Ordering, fence};
use core::task::Context;

use bootswap_config::Wifi;
use bootswap_migrator::{Card, Log, Ready};
use embassy_net::Stack;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

use esp_hal::peripherals::WIFI;

use super::stack::addressed;

/// `hw/riscv/esp32c3.c` and `hw/xtensa/esp32.c` of the emulators.
const REGISTERS: usize = if cfg!(feature = "esp32") { 0x3ff6_9000 } else { 0x600c_d000 };
const DESCRIPTORS: usize = REGISTERS + 0x400;

const MODER: usize = 0x00;
const INT_MASK: usize = 0x08;
const TX_BD_NUM: usize = 0x20;
const MAC_ADDR0: usize = 0x40;
const MAC_ADDR1: usize = 0x44;

const MODER_RXEN: u32 = 1 << 0;
const MODER_TXEN: u32 = 1 << 1;
const MODER_FULLD: u32 = 1 << 10;
const MODER_CRCEN: u32 = 1 << 13;
const MODER_PAD: u32 = 1 << 15;

const TX_READY: u32 = 1 << 15;
const TX_WRAP: u32 = 1 << 13;
const TX_PAD: u32 = 1 << 12;
const TX_CRC: u32 = 1 << 11;
const RX_EMPTY: u32 = 1 << 15;
const RX_WRAP: u32 = 1 << 13;

/// Bytes of a frame, with its header and without its check sequence.
const MTU: usize = 1514;
/// Bytes of the check sequence, which is received as well.
const FCS: usize = 4;
/// Bytes of a buffer.
const FRAME: usize = 1536;
/// Frames that can be received before they are looked at.
const RX_FRAMES: usize = 8;

/// The buffers that the card reads and writes, with its alignment.
#[repr(C, align(4))]
struct Frames {
    tx: [u8; FRAME],
    rx: [[u8; FRAME]; RX_FRAMES],
}

static mut FRAMES: Frames = Frames { tx: [0; FRAME], rx: [[0; FRAME]; RX_FRAMES] };

/// The card.
pub struct OpenEth {
    mac: [u8; 6],
    /// The buffer in which the next frame will be received.
    next_rx: usize,
}

fn read(at: usize) -> u32 {
    // Safety: every caller adds an offset of the card's to one of its two base addresses. Without
    // the card, zero is read.
    unsafe { ptr::read_volatile(at as *const u32) }
}

fn write(at: usize, value: u32) {
    // Safety: as for `read`; the card itself reads and writes only `FRAMES`, whose addresses it
    // gets.
    unsafe { ptr::write_volatile(at as *mut u32, value) }
}

/// Addresses of the two words of a descriptor: 0 is for sending, the others for receiving.
const fn descriptor(index: usize) -> (usize, usize) {
    (DESCRIPTORS + index * 8, DESCRIPTORS + index * 8 + 4)
}

/// The emulator was started without a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoCard;

/// The card, which is off. It takes the place of the radio, which the emulators do not have.
pub struct Off(pub WIFI<'static>);

impl Card for Off {
    type Started = (OpenEth, Radio);
    type Error = NoCard;

    async fn start(self, _: &Ready<'_>) -> Result<(OpenEth, Radio), NoCard> {
        open()
    }
}

/// Starts the card; [`NoCard`] if its registers do not keep what is written to them.
fn open() -> Result<(OpenEth, Radio), NoCard> {
    write(REGISTERS + MODER, 0);
    write(REGISTERS + INT_MASK, 0);
    write(REGISTERS + TX_BD_NUM, 1);
    let mac = mac();
    let [a, b, c, d, e, f] = mac.map(u32::from);
    write(REGISTERS + MAC_ADDR0, c << 24 | d << 16 | e << 8 | f);
    write(REGISTERS + MAC_ADDR1, a << 8 | b);
    if read(REGISTERS + MAC_ADDR1) != a << 8 | b {
        return Err(NoCard);
    }
    let (flags, pointer) = descriptor(0);
    write(flags, TX_WRAP);
    // Safety: the address alone is taken, no reference is made.
    write(pointer, unsafe { addr_of_mut!(FRAMES.tx) } as u32);
    for index in 0..RX_FRAMES {
        let (flags, pointer) = descriptor(1 + index);
        // Safety: the index is within the array; no reference is made.
        let frame = unsafe { addr_of_mut!(FRAMES.rx).cast::<u8>().add(index * FRAME) };
        write(pointer, frame as u32);
        write(flags, rx_flags(index));
    }
    fence(Ordering::SeqCst);
    write(REGISTERS + MODER, MODER_RXEN | MODER_TXEN | MODER_FULLD | MODER_CRCEN | MODER_PAD);
    Ok((OpenEth { mac, next_rx: 0 }, Radio))
}

/// The chip's address, marked as locally administered.
fn mac() -> [u8; 6] {
    let base = esp_hal::efuse::base_mac_address();
    let mut mac = [0; 6];
    mac.iter_mut().zip(base.as_bytes()).for_each(|(to, from)| *to = *from);
    mac[0] = mac[0] & 0xfc | 0x02;
    mac
}

impl fmt::Display for NoCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no card; start the emulator with one")
    }
}

/// The cable, which is always connected.
pub struct Radio;

impl Radio {
    /// Whether the cable is connected.
    pub fn is_up(&self) -> bool {
        true
    }

    /// Waits for an address.
    pub async fn join<'w>(
        &self,
        _: impl Iterator<Item = Wifi<'w>>,
        stack: Stack<'_>,
        log: Log<'_>,
    ) -> bool {
        let addressed = addressed(stack, log).await;
        if let Err(error) = addressed {
            log.error(format_args!("Ethernet: {error}"));
        }
        addressed.is_ok()
    }

    /// Stops the card: no frame is received or sent after this.
    pub async fn off(&self) {
        write(REGISTERS + MODER, 0);
    }
}

impl OpenEth {
    fn may_send() -> bool {
        read(descriptor(0).0) & TX_READY == 0
    }
}

const fn rx_flags(index: usize) -> u32 {
    if index + 1 == RX_FRAMES { RX_EMPTY | RX_WRAP } else { RX_EMPTY }
}

/// A received frame in its buffer.
pub struct Received {
    index: usize,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        let (flags, _) = descriptor(1 + self.index);
        let len = ((read(flags) >> 16) as usize).saturating_sub(FCS).min(FRAME);
        fence(Ordering::SeqCst);
        // Safety: the card is done with the buffer, because the descriptor is not empty any more,
        // and gets it back below; the network stack reads one frame at a time.
        let frame = unsafe { &mut *addr_of_mut!(FRAMES.rx[self.index]) };
        let result = f(frame.get_mut(..len).unwrap_or_default());
        fence(Ordering::SeqCst);
        write(flags, rx_flags(self.index));
        result
    }
}

/// Permission to send a frame.
pub struct Sending;

impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let len = len.min(FRAME);
        // Safety: the descriptor is not ready, so the card is done with the buffer; there is one of
        // these tokens at a time.
        let frame = unsafe { &mut *addr_of_mut!(FRAMES.tx) };
        let result = f(frame.get_mut(..len).unwrap_or_default());
        fence(Ordering::SeqCst);
        write(descriptor(0).0, (len as u32) << 16 | TX_READY | TX_WRAP | TX_PAD | TX_CRC);
        result
    }
}

impl Driver for OpenEth {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending;

    fn receive(&mut self, _cx: &mut Context<'_>) -> Option<(Received, Sending)> {
        let (flags, _) = descriptor(1 + self.next_rx);
        if read(flags) & RX_EMPTY != 0 || !Self::may_send() {
            return None;
        }
        let index = self.next_rx;
        self.next_rx = (index + 1) % RX_FRAMES;
        Some((Received { index }, Sending))
    }

    fn transmit(&mut self, _cx: &mut Context<'_>) -> Option<Sending> {
        Self::may_send().then_some(Sending)
    }

    fn link_state(&mut self, _cx: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}
