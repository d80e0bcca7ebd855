use super::{Aggregate, Either, Slide, Stacks};

macro_rules! tuple {
    ($($name:ident $index:tt)+) => {
        /// All of them at once, read as a tuple in the same order.
        impl<T, $($name: Aggregate<T>),+> Aggregate<T> for ($($name,)+) {
            type State = ($($name::State,)+);
            type Output = ($($name::Output,)+);

            #[inline]
            fn lift(&self, item: &T) -> Self::State {
                ($(self.$index.lift(item),)+)
            }

            #[inline]
            fn add(&self, state: &mut Self::State, item: &T) {
                $(self.$index.add(&mut state.$index, item);)+
            }

            #[inline]
            fn merge(&self, left: &mut Self::State, right: &Self::State) {
                $(self.$index.merge(&mut left.$index, &right.$index);)+
            }

            #[inline]
            fn finish(&self, state: &Self::State) -> Self::Output {
                ($(self.$index.finish(&state.$index),)+)
            }

            const SLIDES: bool = $($name::SLIDES)||+;

            fn slide(self) -> impl Slide<T, Output = Self::Output> {
                if Self::SLIDES {
                    Either::Own(($(self.$index.slide(),)+))
                } else {
                    Either::Stacks(Stacks::new(self))
                }
            }
        }

        impl<T, $($name: Slide<T>),+> Slide<T> for ($($name,)+) {
            type Output = ($($name::Output,)+);

            #[inline]
            fn push(&mut self, item: &T) {
                $(self.$index.push(item);)+
            }

            #[inline]
            fn pop(&mut self) {
                $(self.$index.pop();)+
            }

            #[inline]
            fn read(&mut self) -> Option<Self::Output> {
                Some(($(self.$index.read()?,)+))
            }
        }
    };
}

tuple!(A 0 B 1);
tuple!(A 0 B 1 C 2);
tuple!(A 0 B 1 C 2 D 3);
tuple!(A 0 B 1 C 2 D 3 E 4);
tuple!(A 0 B 1 C 2 D 3 E 4 G 5);
