//! Families: requests judged the same by text alone. Families never look at accounts.
//!
//! * *exact*: the same digest after folding; nothing to compute here.
//! * *near-duplicate*: candidates from the index, accepted by the [`judge`], gathered by [`cluster`] around leaders.
//!
//! The seat of the fragment level is here too: prompts that share rare runs of text are one more source of candidates for the
//! same judge, and a level of their own.

pub mod calibrate;
pub mod cluster;
pub mod judge;
pub mod template;
