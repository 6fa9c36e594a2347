//! Choices that an input makes. After its end, each choice is the ordinary one.

use arbitrary::{Result, Unstructured};

/// What an input chooses.
pub(super) struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self(Unstructured::new(input))
    }

    /// A number in `0..count`; 0 where the input has ended.
    pub(super) fn below(&mut self, count: u32) -> Result<u32> {
        self.0.int_in_range(0..=count.saturating_sub(1))
    }

    /// A number from `from` to `to`; `from` where the input has ended.
    pub(super) fn within(&mut self, from: u32, to: u32) -> Result<u32> {
        self.0.int_in_range(from..=to.max(from))
    }

    /// Whether something out of the ordinary is chosen, which is one choice in `count`.
    pub(super) fn rarely(&mut self, count: u32) -> Result<bool> {
        Ok(self.below(count)? + 1 == count)
    }

    /// One of a list, whose first entry is the ordinary one.
    pub(super) fn one_of<'l, T>(&mut self, list: &'l [T]) -> Result<&'l T> {
        let index = self.below(u32::try_from(list.len()).expect("a short list"))?;
        Ok(&list[index as usize])
    }

    /// The first of a list, and in one choice of `count` any of it.
    pub(super) fn mostly_first<'l, T>(&mut self, count: u32, list: &'l [T]) -> Result<&'l T> {
        if self.rarely(count)? { self.one_of(list) } else { Ok(&list[0]) }
    }
}
