use super::Aggregate;

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, replaced by $better:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl<T: PartialOrd + Clone + Send + 'static> Aggregate<T> for $name {
            type State = T;
            type Output = T;

            #[inline]
            fn lift(&self, item: &T) -> T {
                item.clone()
            }

            #[inline]
            fn add(&self, state: &mut T, item: &T) {
                self.merge(state, item);
            }

            #[inline]
            fn merge(&self, left: &mut T, right: &T) {
                // If what is held cannot even be compared with itself, anything is better.
                if *right $better *left || T::partial_cmp(left, left).is_none() {
                    left.clone_from(right);
                }
            }

            #[inline]
            fn finish(&self, state: &T) -> T {
                state.clone()
            }
        }
    };
}

extreme! {
    /// The least element; the first of several that are equal, as `Iterator::min` has it.
    ///
    /// An element that is not even comparable with itself, such as a NaN, is ignored unless there
    /// is nothing else. Other than for such elements the order must be total: with elements like
    /// sets, where neither of two is less, the reading depends on how they were grouped.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, Min};
    ///
    /// assert_eq!(Min.fold(&[3, 1, 2]), Some(1));
    /// assert_eq!(Min.fold(&[f64::NAN, 2.0, 1.0]), Some(1.0));
    /// assert!(Min.fold(&[f64::NAN]).unwrap().is_nan());
    /// ```
    #[doc(alias = "minimum")]
    Min, replaced by <
}

extreme! {
    /// The greatest element; the last of several that are equal, as `Iterator::max` has it.
    ///
    /// An element that is not even comparable with itself, such as a NaN, is ignored unless there
    /// is nothing else. Other than for such elements the order must be total: with elements like
    /// sets, where neither of two is greater, the reading depends on how they were grouped.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, Max};
    ///
    /// assert_eq!(Max.fold(&[1, 3, 2]), Some(3));
    /// assert_eq!(Max.fold(&[2.0, f64::NAN, 1.0]), Some(2.0));
    /// assert!(Max.fold(&[f64::NAN]).unwrap().is_nan());
    /// ```
    #[doc(alias = "maximum")]
    #[doc(alias = "peak")]
    Max, replaced by >=
}
