//! Places among elements, as Redis names them: from 0 on, or from the end, -1 being the last.

use std::ops::Range;

/// The place of one among `len` elements; `None`: there is none there.
pub fn place(len: usize, index: i64) -> Option<usize> {
    let place = if index < 0 { i64::try_from(len).ok()?.checked_add(index)? } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

/// Those from `start` to `stop`, both included, as far as they are there.
pub fn span(len: usize, start: i64, stop: i64) -> Range<usize> {
    let from_start = |index: i64| {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        if index < 0 { index.saturating_add(len) } else { index.min(len) }
    };
    let start = usize::try_from(from_start(start)).unwrap_or(0);
    // Before the first element: nothing.
    let Ok(stop) = usize::try_from(from_start(stop)) else { return 0..0 };
    let end = stop.saturating_add(1).min(len);
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_redis() {
        let cases = [(0, Some(0)), (2, Some(2)), (3, None), (-1, Some(2)), (-3, Some(0)), (-4, None)];
        for (index, expected) in cases.into_iter().chain([(i64::MAX, None), (i64::MIN, None)]) {
            assert_eq!(place(3, index), expected, "{index}");
        }
        assert_eq!(place(0, 0), None);
    }

    #[test]
    fn spans_are_those_of_redis() {
        let cases = [
            (0, -1, 0..3),
            (0, 0, 0..1),
            (-2, -1, 1..3),
            (-100, 100, 0..3),
            (1, 0, 0..0),
            (3, 5, 0..0),
            (0, -4, 0..0),
            (-5, -3, 0..1),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MAX, i64::MIN, 0..0),
        ];
        for (start, stop, expected) in cases {
            assert_eq!(span(3, start, stop), expected, "{start} {stop}");
        }
        assert_eq!(span(0, 0, -1), 0..0);
    }
}
