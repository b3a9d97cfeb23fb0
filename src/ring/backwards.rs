//! The first day of a store, read backwards: a text counts for an account that does not use it again on the second.
//!
//! The idea: evidence is what is new, and on a store's first day everything looks new: the template that customers of an app have shared for weeks, and the task that a work queue hands
//! out today. One day later the two differ, for the template is used again. So once the second day is known the first is tested too, with the two days in each other's
//! place: where a later day asks who used a text before, this one asks who uses it again, and interests are those of the second day. A null of independent choices has no direction
//! of time, so everything else is the test of any other day. Weakness: a task that is sent on both days counts on neither; of customers who come once nothing is learned, as on later days.
//! Guarantee: the first day's halves test each other and nothing that proposed them; a store of one day has no such test.

use super::day::{Choice, Day};
use super::propose::WINDOW;
use std::collections::BTreeSet;

/// The first day as it is read once the second is known; none where the second comes too late to say which texts are used again.
#[must_use]
pub fn backwards(first: &Day, second: &Day) -> Option<Day> {
    if second.day - first.day > WINDOW {
        return None;
    }
    // Choices of the second day are all uses of it, whether they were new or not.
    let later: BTreeSet<Choice> = second.new.iter().chain(&second.again).copied().collect();
    let new: Vec<Choice> = first.new.iter().filter(|choice| !later.contains(choice)).copied().collect();
    let accounts = first.accounts();
    let is_new = |family: u64| {
        let at = new.partition_point(|choice| choice.family < family);
        new.get(at).is_some_and(|choice| choice.family == family)
    };
    let is_active = |choice: &Choice| accounts.binary_search(&choice.account).is_ok();
    let before = later.into_iter().filter(|choice| is_active(choice) && is_new(choice.family)).collect();
    Some(Day { new, before, again: Vec::new(), wide: Vec::new(), sent: Vec::new(), ..first.clone() }.in_order())
}
