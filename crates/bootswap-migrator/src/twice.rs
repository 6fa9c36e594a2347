//! Reads flash twice, for data that no digest proves.

use embedded_storage_async::nor_flash::{ErrorType, ReadNorFlash};

/// Reads until two readings agree, at most this many times.
const MAX_READINGS: u32 = 4;
/// Bytes that are compared at a time.
const PART: usize = 64;

/// A flash of which everything is read twice.
///
/// For data that nothing proves: a bit read wrongly in the header of the running image could make
/// it as long as its partition, and change the plan. What the engine reads is proved by digests.
pub(crate) struct Twice<'a, F>(pub(crate) &'a mut F);

impl<F: ErrorType> ErrorType for Twice<'_, F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for Twice<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes).await?;
        for _ in 1..MAX_READINGS {
            let mut agree = true;
            for (at, part) in (offset..).step_by(PART).zip(bytes.chunks_mut(PART)) {
                let mut again = [0; PART];
                let Some(again) = again.get_mut(..part.len()) else { break };
                self.0.read(at, again).await?;
                agree &= *again == *part;
                part.copy_from_slice(again);
            }
            if agree {
                break;
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::vec::Vec;

    use embassy_futures::block_on;
    use embedded_storage_async::nor_flash::{NorFlashError, NorFlashErrorKind};

    use super::*;

    #[derive(Debug)]
    struct Never(Infallible);

    impl NorFlashError for Never {
        fn kind(&self) -> NorFlashErrorKind {
            match self.0 {}
        }
    }

    /// Flips a bit of the first byte of these readings.
    struct Wrong(Vec<u32>, u32);

    impl ErrorType for Wrong {
        type Error = Never;
    }

    impl ReadNorFlash for Wrong {
        const READ_SIZE: usize = 4;

        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Never> {
            bytes.iter_mut().zip(offset..).for_each(|(byte, at)| *byte = at as u8);
            if self.0.contains(&self.1) {
                bytes[0] ^= 1;
            }
            self.1 += 1;
            Ok(())
        }

        fn capacity(&self) -> usize {
            1000
        }
    }

    #[test]
    fn a_bit_read_wrongly_once_does_not_count() {
        for wrong in 0..6 {
            let mut flash = Wrong([wrong].into(), 0);
            let mut bytes = [0; 200];
            block_on(Twice(&mut flash).read(8, &mut bytes)).unwrap();
            assert!(bytes.iter().zip(8..).all(|(byte, at)| *byte == at), "reading {wrong}");
        }
    }

    #[test]
    fn flash_that_never_agrees_does_not_hang() {
        let mut flash = Wrong((0..100).step_by(2).collect(), 0);
        block_on(Twice(&mut flash).read(8, &mut [0; 4])).unwrap();
        assert_eq!(flash.1, MAX_READINGS);
    }
}
