//! Look-ups: the report and its lists, similar prompts, a family, an account, the export.

mod account_page;
mod all_rings;
mod details;
mod drift;
mod export;
mod family_page;
mod filter;
mod members;
mod once;
mod opened;
mod provenance;
mod ranking;
mod registry;
mod ring_page;
mod rings;
mod saved;
mod sensitivity;
mod sharing;
mod summary;

pub use account_page::{AccountFamily, AccountPage};
pub use all_rings::{AllRings, chosen_rings};
pub use export::{Export, export};
pub use family_page::{ExchangePage, FamilyAccount, FamilyExchange, FamilyPage};
pub use filter::SimilarQuery;
pub use members::export_members;
pub use opened::{Hits, Opened, SharedFragment, SimilarHit};
pub use ranking::{After, ListQuery, export_families};
pub use registry::{Candidate, registry, suggest};
pub use ring_page::{Moment, RingNight, RingPage, ring_page};
pub use rings::{
    EndUsers, behind_page, export_rings, past_rings, placebo, placebo_page, rings, rings_behind, rings_page,
};
pub use saved::saved;
pub use sharing::Sharer;
pub use summary::{MOST_FAMILIES, family_exchanges, report};
