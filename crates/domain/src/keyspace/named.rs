//! Elements in the order in which they came, each found by its name without a look at all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::limits::ELEMENT_BYTES;

/// The same elements in another order are something else: whoever reads them sees the order.
#[derive(Clone, Debug)]
pub struct Named<V> {
    elements: Vec<(Arc<[u8]>, V)>,
    /// The places of all elements, in the order of their names.
    by_name: Vec<usize>,
}

impl<V> Named<V> {
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<[u8]>, &V)> {
        self.elements.iter().map(|(name, value)| (name, value))
    }

    pub fn get(&self, name: &[u8]) -> Option<&V> {
        self.rank(name).ok().map(|rank| &self.elements[self.by_name[rank]].1)
    }

    /// Adds an element at the end, or gives a new value to the one of this name; true: it is new.
    pub(crate) fn put(&mut self, name: Arc<[u8]>, value: V) -> bool {
        match self.rank(&name) {
            Ok(rank) => {
                self.elements[self.by_name[rank]].1 = value;
                false
            }
            Err(rank) => {
                self.by_name.insert(rank, self.elements.len());
                self.elements.push((name, value));
                true
            }
        }
    }

    /// In one pass, however many they are. How many of them were there.
    pub(crate) fn remove_all(&mut self, names: &[Arc<[u8]>]) -> usize {
        let place = |name: &Arc<[u8]>| self.rank(name).ok().map(|rank| self.by_name[rank]);
        let gone: BTreeSet<usize> = names.iter().filter_map(place).collect();
        if gone.is_empty() {
            return 0;
        }
        let mut stay = 0;
        let moved: Vec<Option<usize>> = (0..self.elements.len())
            .map(|place| {
                let stays = !gone.contains(&place);
                stay += usize::from(stays);
                stays.then(|| stay - 1)
            })
            .collect();
        let mut places = moved.iter();
        self.elements.retain(|_| places.next().is_some_and(Option::is_some));
        self.by_name = self.by_name.iter().filter_map(|place| moved[*place]).collect();
        gone.len()
    }

    /// What all elements count for, with what each value does.
    pub(crate) fn bytes_with(&self, of: impl Fn(&V) -> usize) -> usize {
        self.iter().map(|(name, value)| ELEMENT_BYTES + name.len() + of(value)).sum()
    }

    fn rank(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|place| (*self.elements[*place].0).cmp(name))
    }
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self { elements: Vec::new(), by_name: Vec::new() }
    }
}

impl<V: PartialEq> PartialEq for Named<V> {
    fn eq(&self, other: &Self) -> bool {
        self.elements == other.elements
    }
}

impl<V: Eq> Eq for Named<V> {}

/// Of two with the same name the second counts, in the place of the first.
impl<V> FromIterator<(Arc<[u8]>, V)> for Named<V> {
    fn from_iter<I: IntoIterator<Item = (Arc<[u8]>, V)>>(elements: I) -> Self {
        let mut named = Self::default();
        for (name, value) in elements {
            named.put(name, value);
        }
        named
    }
}
