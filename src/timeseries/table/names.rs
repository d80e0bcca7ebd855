//! Names of columns, each of which is there once.

use rustc_hash::FxHashMap;

/// The names that are given away. Who comes later for the same name gets ` (2)`, ` (3)` and so on behind it.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// With the last number that each was given.
    taken: FxHashMap<String, usize>,
}

impl Names {
    pub(super) fn unique(&mut self, name: &str) -> String {
        let Some(&last) = self.taken.get(name) else {
            self.taken.insert(name.to_owned(), 1);
            return name.to_owned();
        };
        let mut number = last;
        loop {
            number += 1;
            let numbered = format!("{name} ({number})");
            if !self.taken.contains_key(&numbered) {
                self.taken.insert(name.to_owned(), number);
                self.taken.insert(numbered.clone(), 1);
                return numbered;
            }
        }
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Names {
        let taken = names.into_iter().map(|name| (name.to_owned(), 1));
        Names {
            taken: taken.collect(),
        }
    }
}
