//! How an attempt comes by its element: it is given the element, or lent it.

use super::in_flight::Ticket;
use super::retry::Again;

/// An element that may be tried again, or that its failure is to bring along. In a box, so that a
/// ticket is small, and so that it stays where it is from one attempt to the next.
pub(crate) struct Spare<T> {
    pub(super) element: T,
    /// How many attempts were made, or are under way.
    pub(super) attempts: u32,
}

impl<T> Spare<T> {
    fn of_first(element: T) -> Box<Spare<T>> {
        Box::new(Spare {
            element,
            attempts: 1,
        })
    }
}

/// Makes the futures of attempts. A future gives the ticket back, with the spare where there is one.
pub(crate) trait Attempts<T> {
    type Job;

    /// The first attempt at an element. `again` is the policy in force.
    fn first(&mut self, item: T, ticket: Ticket<T>, again: Option<&Again<T>>) -> Self::Job;

    /// A further attempt.
    fn next(
        &mut self,
        spare: Box<Spare<T>>,
        ticket: Ticket<T>,
        again: &Again<T>,
    ) -> Option<Self::Job>;
}

/// The first attempt is given the element, and each further one a clone.
pub(super) struct Given<F>(pub(super) F);

impl<T, F, J> Attempts<T> for Given<F>
where
    F: FnMut(T, Ticket<T>) -> J,
{
    type Job = J;

    #[inline]
    fn first(&mut self, item: T, mut ticket: Ticket<T>, again: Option<&Again<T>>) -> J {
        if let Some(again) = again {
            ticket.spare = again.copy(&item).map(Spare::of_first);
        }
        (self.0)(item, ticket)
    }

    fn next(&mut self, spare: Box<Spare<T>>, mut ticket: Ticket<T>, again: &Again<T>) -> Option<J> {
        let item = again.copy(&spare.element)?;
        ticket.spare = Some(spare);
        Some((self.0)(item, ticket))
    }
}

/// Each attempt is lent the same element.
pub(super) struct Lent<F>(pub(super) F);

impl<T, F, J> Attempts<T> for Lent<F>
where
    F: FnMut(Box<Spare<T>>, Ticket<T>) -> J,
{
    type Job = J;

    fn first(&mut self, item: T, ticket: Ticket<T>, _again: Option<&Again<T>>) -> J {
        (self.0)(Spare::of_first(item), ticket)
    }

    fn next(&mut self, spare: Box<Spare<T>>, ticket: Ticket<T>, _again: &Again<T>) -> Option<J> {
        Some((self.0)(spare, ticket))
    }
}
