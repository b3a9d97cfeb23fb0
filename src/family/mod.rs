//! Families: requests judged the same by text alone. Families never look at accounts.
//!
//! * *exact*: the same digest after folding; nothing to compute here.
//! * *near-duplicate*: candidates from the index, accepted by the [`judge`], gathered by [`cluster`] around leaders.
//!
//! * *fragment*: a rare run of text that otherwise unlike texts share ([`fragment`]); prompts that share fingerprints are also
//!   candidates of the same judge.

pub mod calibrate;
pub mod cluster;
pub mod fragment;
pub mod judge;
pub mod length;
pub mod template;
