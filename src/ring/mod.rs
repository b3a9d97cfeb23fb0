//! Rings: accounts that act together, with an error rate.
//!
//! The idea: people who share an app share its old template; a work queue shares *new* text every day. So evidence is a family that several accounts
//! of a group use for the first time on one day ([`day`]), measured against a null in which accounts choose independently given their activity, the
//! family's popularity and their own interests, with innocent affinity up to a factor ([`null`]). Groups are proposed on one day, frozen, and
//! confirmed on later days, or by that half of the day's texts that did not propose them ([`walk`], [`confirm`], [`propose`]); confirmed groups are put together to rings ([`unite`]) with members ([`member`]).
//! What the accounts have in common beside their texts ([`composition`]) and whether they use them at the same time ([`timing`]) are streams of their own, and so is which
//! share of their requests has a property ([`shares`]); what they share for a fact is counted ([`links`]), and whether they worked a public set off in its order is told ([`order`]).
//! Whether a finding stands where its test is changed is told beside it ([`sensitivity`]).
//!
//! This module knows numbers only: accounts, families, neighbourhoods, days. Weakness: by co-use alone an account pool that sends one fixed text every
//! day cannot be told from an app, and is not found here. Guarantee: nothing is confirmed by data that proposed it; every list states how many
//! groups were proposed and which share of false ones is expected.

pub mod backwards;
pub mod composition;
pub mod confirm;
pub mod day;
pub mod interests;
pub mod leiden;
pub mod links;
pub mod member;
pub mod null;
pub mod order;
pub mod persistent;
pub mod placebo;
pub mod propose;
mod rest;
pub mod sensitivity;
pub mod shares;
pub mod shift;
pub mod streams;
#[cfg(test)]
mod tests;
pub mod timing;
pub mod unite;
pub mod walk;

pub use day::{Choice, Day, EVERYWHERE, Requests, Sent, Subjects};
pub use unite::{Ring, Route, rings};
pub use walk::{Group, RingConfig, State};
