//! Cutting bytes into pieces, as networks and flash drivers do.

/// The bytes in pieces of the lengths in `lens`, which may be 0; the last piece is the rest.
pub(crate) fn pieces<'a>(bytes: &'a [u8], lens: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    let mut lens = lens.iter();
    core::iter::from_fn(move || {
        let bytes = rest.take()?;
        let Some(len) = lens.next() else { return Some(bytes) };
        match bytes.split_at_checked(usize::from(*len)) {
            Some((now, later)) => {
                rest = Some(later);
                Some(now)
            }
            None => Some(bytes),
        }
    })
}

/// The last bytes of an input, to be used as lengths of pieces.
///
/// They stay a part of the input, so that any file of the format is an input.
pub(crate) fn lens(input: &[u8]) -> &[u8] {
    &input[input.len() - (input.len() / 4).min(32)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        for lens in [&[][..], &[0, 0, 3], &[50, 50], &[50, 51], &[100, 0, 0]] {
            let pieces: Vec<_> = pieces(&bytes, lens).collect();
            assert_eq!(pieces.concat(), bytes, "{lens:?}");
            for (piece, len) in pieces.iter().zip(lens).rev().skip(1) {
                assert_eq!(piece.len(), usize::from(*len));
            }
        }
    }
}
