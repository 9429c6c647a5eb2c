//! Many rows of which all can be looked at aside while some are added and removed.
//!
//! A board of rows is shared with whoever looks, and copied only if a row is added to it meanwhile: to freeze a million
//! rows is to count up some thousand references. Removed rows stay on their board until it is empty, so what comes
//! together should go together; each kind of row fills boards of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one board. Few enough to be copied in some microseconds.
const BOARD_ROWS: usize = u128::BITS as usize;

/// Kinds of row, by what they come and go with.
const KINDS: usize = 2;

/// Where a row stands. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

impl Place {
    fn new(board: u64, slot: usize) -> Self {
        Self(board * BOARD_ROWS as u64 + slot as u64)
    }

    fn board(self) -> u64 {
        self.0 / BOARD_ROWS as u64
    }

    fn slot(self) -> usize {
        (self.0 % BOARD_ROWS as u64) as usize
    }
}

/// Invariant: every board holds a row that is not gone.
#[derive(Clone, Debug)]
pub(crate) struct Shelf<T> {
    boards: BTreeMap<u64, Board<T>>,
    /// The board that each kind of row goes to, if it is still there.
    open: [Option<u64>; KINDS],
    next: u64,
}

#[derive(Clone, Debug)]
struct Board<T> {
    rows: Arc<Vec<T>>,
    /// A bit for each row that was removed.
    gone: u128,
}

impl<T> Board<T> {
    fn rows(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().enumerate().filter(|(slot, _)| self.gone >> slot & 1 == 0).map(|(_, row)| row)
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { boards: BTreeMap::new(), open: [None; KINDS], next: 0 }
    }
}

impl<T: Clone> Shelf<T> {
    pub(crate) fn get(&self, place: Place) -> &T {
        &self.boards[&place.board()].rows[place.slot()]
    }

    pub(crate) fn put(&mut self, kind: usize, row: T) -> Place {
        let has_room = |number: &u64| self.boards.get(number).is_some_and(|b| b.rows.len() < BOARD_ROWS);
        let number = self.open[kind].filter(has_room).unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.open[kind] = Some(number);
        let fresh = || Board { rows: Arc::new(Vec::with_capacity(BOARD_ROWS)), gone: 0 };
        let board = self.boards.entry(number).or_insert_with(fresh);
        let rows = Arc::make_mut(&mut board.rows);
        rows.push(row);
        Place::new(number, rows.len() - 1)
    }

    pub(crate) fn remove(&mut self, place: Place) {
        let board = self.boards.get_mut(&place.board()).expect("its board holds a row that is not gone");
        board.gone |= 1 << place.slot();
        if board.gone.count_ones() as usize == board.rows.len() {
            self.boards.remove(&place.board());
        }
    }

    pub(crate) fn freeze(&self) -> Shelved<T> {
        Shelved(self.boards.values().cloned().collect())
    }
}

/// The rows that stood on a shelf at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Shelved<T>(Vec<Board<T>>);

impl<T> Shelved<T> {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(Board::rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_frozen_stays_and_the_shelf_goes_on() {
        let mut shelf = Shelf::default();
        let places: Vec<Place> = (0..1000).map(|n| shelf.put(n % 2, n)).collect();
        for place in &places[..700] {
            shelf.remove(*place);
        }
        let frozen = shelf.freeze();
        for n in 1000..1200 {
            shelf.put(n % 2, n);
        }
        for place in &places[700..] {
            shelf.remove(*place);
        }
        let sorted = |frozen: &Shelved<usize>| {
            let mut rows: Vec<usize> = frozen.rows().copied().collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&frozen), (700..1000).collect::<Vec<_>>());
        assert_eq!(sorted(&shelf.freeze()), (1000..1200).collect::<Vec<_>>());
        assert_eq!(*shelf.get(places[999]), 999, "gone, but its board is not empty");
    }

    #[test]
    fn an_empty_board_is_dropped_also_while_it_is_open() {
        let mut shelf = Shelf::default();
        for n in 0..10 * BOARD_ROWS {
            let place = shelf.put(0, n);
            assert_eq!((*shelf.get(place), shelf.boards.len()), (n, 1));
            shelf.remove(place);
            assert!(shelf.boards.is_empty());
        }
    }

    #[test]
    fn a_kind_that_stays_keeps_no_board_of_one_that_goes() {
        let mut shelf = Shelf::default();
        for n in 0..100 * BOARD_ROWS {
            let place = shelf.put(n % 2, n);
            if n % 2 == 0 {
                shelf.remove(place);
            }
        }
        assert_eq!(shelf.boards.len(), 50);
    }
}
