//! Innocent explanations of a ring, each tested and printed with what was found.
//!
//! The idea: a fixed list of questions, so that nobody chooses which explanation is looked for. Weakness: what the registry does not know it
//! cannot explain; the days and counts tell a class or a monitor only where those behave as such do. Guarantee: every question is answered in
//! the report, also with "not tested" and why.

use super::rings::Counting;
use super::sensitivity::{LEAST_LOG10_E, log10_e_of};
use crate::error::Result;
use crate::ids::Level;
use crate::report::ring::Explanation;
use crate::ring::order::{Order, order};
use crate::ring::{Ring, Route};
use crate::store::Store;
use crate::stored::registry::{self, Entry, Kind, Registered, What};
use crate::stored::rings::{InCommon, Inputs};
use crate::stored::standing::level_of;
use crate::stored::view::View;
use std::collections::{BTreeMap, BTreeSet};

/// Days on which a class, a hackathon or an event shares its texts, at most.
const BURST: usize = 2;
/// Requests for each first use of a family, from which on a text is repeated and not worked off.
const REPEATED: f64 = 5.0;

/// What the questions are answered from.
pub(super) struct Battery {
    entries: Vec<Entry>,
    registered: Registered,
    /// Families that the operator named as known text.
    known: BTreeSet<u64>,
    view: View,
}

impl Battery {
    pub(super) fn open(store: &Store, known: BTreeSet<u64>) -> Result<Self> {
        let (view, entries) = (View::open(store)?, registry::entries(store)?);
        let registered = Registered::of(&entries, store, &view)?;
        Ok(Self { entries, registered, known, view })
    }

    /// The answers for a ring with these listed members and requests; `bought` where its accounts have more in common than customers of one app.
    pub(super) fn answers(
        &self,
        ring: &Ring,
        (in_common, bought): (&InCommon, bool),
        (listed, uses): (&[u32], &Counting),
        requests: u64,
    ) -> Vec<Explanation> {
        let families: BTreeSet<u64> = ring.families.iter().map(|family| family.1).collect();
        let agency = agency(in_common);
        let mut text = self.text(ring);
        for (name, accounts, of) in
            self.orders((listed, uses), u64::from_le_bytes(ring.name[..8].try_into().unwrap_or_default()))
        {
            text.found += &format!(
                "; {} texts of {name}, first sent by {accounts} of these accounts, in its own order: Kendall's τ {:.2}, p {:.4}",
                of.texts,
                of.tau,
                libm::exp(of.ln_p)
            );
        }
        let people = [text, self.gateway(listed), organisation(in_common), agency];
        people
            .into_iter()
            .chain([burst(ring), monitor(ring, requests), automation(in_common), app(&families, in_common, bought)])
            .collect()
    }

    /// An app, a software kit, a course, a benchmark, a published prompt.
    fn text(&self, ring: &Ring) -> Explanation {
        let explanation = "registered-text";
        let is_text = |entry: &&Entry| !matches!(entry.what, What::Account(_));
        if self.entries.iter().filter(is_text).count() == 0 && self.known.is_empty() {
            let found = "the registry has no texts, so it could explain nothing".to_owned();
            return Explanation { explanation, explains: None, found };
        }
        let families: BTreeSet<u64> = ring.families.iter().map(|family| family.1).collect();
        let is_known = |family: u64| match level_of(family) {
            (Level::Fragment, number) => self.view.fragments[number as usize].is_known(),
            _ => self.registered.families.contains_key(&family) || self.known.contains(&family),
        };
        let known = families.iter().filter(|family| is_known(**family)).count();
        let places = families.iter().filter_map(|family| self.registered.families.get(family));
        let named: BTreeSet<&Entry> = places.map(|place| &self.entries[*place]).collect();
        let mut found = format!("{known} of {} families are of registered or known texts", families.len());
        for entry in named.into_iter().take(3) {
            let since = entry.public_since.map(|time| format!(", public since {time}")).unwrap_or_default();
            found += &format!("; {} ({}{since})", entry.name, entry.kind.word());
        }
        Explanation { explanation, explains: Some(2 * known >= families.len()), found }
    }

    /// How far texts of each registered benchmark came in the order in which they were registered, over all of these accounts, with the number of those that sent one first; of three sets at
    /// most, each of them sent by two accounts or more.
    fn orders(&self, (listed, uses): (&[u32], &Counting), seed: u64) -> Vec<(String, usize, Order)> {
        let place = |family: u64| {
            let place = *self.registered.families.get(&family)?;
            (self.entries[place].kind == Kind::Benchmark).then_some(place)
        };
        let mut first: BTreeMap<usize, (i64, u32)> = BTreeMap::new();
        for used in listed.iter().flat_map(|&account| uses.of(account, |family| place(family).is_some())) {
            let Some(place) = place(used.family) else { continue };
            let use_ = first.entry(place).or_insert((used.first, used.account));
            *use_ = (*use_).min((used.first, used.account));
        }
        let mut sets: BTreeMap<&str, Vec<(i64, u32, u64)>> = BTreeMap::new();
        for (place, (time, account)) in first {
            sets.entry(&self.entries[place].name).or_default().push((time, account, place as u64));
        }
        let found = sets.into_iter().filter_map(|(name, texts)| {
            let accounts = texts.iter().map(|(_, account, _)| account).collect::<BTreeSet<_>>().len();
            let texts = texts.iter().map(|&(time, _, place)| (time, place)).collect();
            (accounts > 1).then(|| order(texts, seed)).flatten().map(|order| (name.to_owned(), accounts, order))
        });
        found.take(3).collect()
    }

    /// Accounts behind which many people stand.
    fn gateway(&self, listed: &[u32]) -> Explanation {
        let explanation = "gateway";
        if self.registered.gateways.is_empty() {
            let found = "the registry has no gateway of this store".to_owned();
            return Explanation { explanation, explains: None, found };
        }
        let known = listed.iter().filter(|account| self.registered.gateways.contains(account)).count();
        let found = format!("{known} of {} members are registered gateways", listed.len());
        Explanation { explanation, explains: Some(2 * known >= listed.len().max(1)), found }
    }
}

/// A company, an agency: accounts that say themselves that they are of one organisation.
fn organisation(in_common: &InCommon) -> Explanation {
    let explanation = "one-organisation";
    let (same, known) = in_common.organisation;
    if known == 0 {
        let found = "the log names no organisation".to_owned();
        return Explanation { explanation, explains: None, found };
    }
    let found = format!("{same} of {known} accounts of the first group whose organisation is known are of one");
    Explanation { explanation, explains: Some(same >= 2 && 2 * same >= known), found }
}

/// An agency that acts for many customers: accounts that the provider knows to be managed by one.
fn agency(in_common: &InCommon) -> Explanation {
    let explanation = "agency";
    let (same, known) = in_common.agency;
    if known == 0 {
        let found = "the log names no agency, partner or reseller".to_owned();
        return Explanation { explanation, explains: None, found };
    }
    let tested = in_common.composition.as_ref().map_or(known, |of| of.accounts.max(known));
    let found = format!("{same} of {tested} accounts of the first group are managed by one agency");
    Explanation { explanation, explains: Some(same >= 2 && 2 * same >= tested), found }
}

/// Continuous integration: accounts that the provider knows to be run by programs, whatever client they name.
fn automation(in_common: &InCommon) -> Explanation {
    let explanation = "automation";
    let (automated, known) = in_common.automated;
    if known == 0 {
        let found = "the log does not say which accounts are run by continuous integration".to_owned();
        return Explanation { explanation, explains: None, found };
    }
    let tested = in_common.composition.as_ref().map_or(known, |of| of.accounts.max(known));
    let found = format!("{automated} of {tested} accounts of the first group are run by programs");
    Explanation { explanation, explains: Some(automated >= 2 && 2 * automated >= tested), found }
}

/// An app that nobody registered: all that the accounts share is a system prompt, which the app's maker writes and its customers never see; or most requests fill
/// what is shared with something that no other account sent. Not where accounts look bought, for customers of an app have their own cards, nor where loads are more even
/// than people's.
fn app(families: &BTreeSet<u64>, in_common: &InCommon, bought: bool) -> Explanation {
    let systems = families.iter().filter(|family| level_of(**family).0 == Level::System).count();
    let mut found = format!("{systems} of {} families are system prompts", families.len());
    let mut is_even = false;
    if let Some(Inputs { requests, filled, ln_p_even }) = in_common.inputs {
        found += &format!("; {filled} of {requests} requests fill what is shared with what no other account sent");
        is_even = log10_e_of(ln_p_even) >= LEAST_LOG10_E;
    }
    let is_app = systems == families.len() || in_common.inputs.is_some_and(|inputs| inputs.are_filled());
    if is_app && bought {
        found += "; but they have in common what customers of an app have not";
    } else if is_app && is_even {
        found += "; but their loads are more even than people's";
    }
    Explanation { explanation: "unregistered-app", explains: Some(is_app && !bought && !is_even), found }
}

/// A class, a hackathon, an event: all is shared within two days.
fn burst(ring: &Ring) -> Explanation {
    let explanation = "class-or-event";
    if ring.route != Route::CoUse {
        let found = "not asked of a text that is sent day after day".to_owned();
        return Explanation { explanation, explains: None, found };
    }
    let days: BTreeSet<i32> = ring.families.iter().map(|family| family.0).collect();
    let found = format!("new texts were shared on {} days", days.len());
    Explanation { explanation, explains: Some(days.len() < BURST), found }
}

/// Continuous integration, monitoring, a test: the same texts again and again.
fn monitor(ring: &Ring, requests: u64) -> Explanation {
    let explanation = "monitoring";
    if ring.route != Route::CoUse {
        let found = "not asked of a text that is sent day after day".to_owned();
        return Explanation { explanation, explains: None, found };
    }
    let uses: u64 = ring.families.iter().map(|family| u64::from(family.2)).sum();
    let each = requests as f64 / uses.max(1) as f64;
    let found = format!("{each:.1} requests for each first use of a text");
    Explanation { explanation, explains: Some(each >= REPEATED), found }
}

#[cfg(test)]
mod tests {
    use super::{agency, app, automation};
    use crate::ids::Level;
    use crate::stored::rings::{InCommon, Inputs};
    use crate::stored::standing::family_key;

    #[test]
    fn an_agency_and_programs_explain_where_the_provider_says_so_of_most() {
        let of = |agency, automated| InCommon { agency, automated, ..InCommon::default() };
        let explains = |of: &InCommon| (agency(of).explains, automation(of).explains);
        assert_eq!(explains(&of((0, 0), (0, 0))), (None, None));
        assert_eq!(explains(&of((12, 20), (0, 20))), (Some(true), Some(false)));
        assert_eq!(explains(&of((9, 20), (10, 20))), (Some(false), Some(true)));
        assert!(automation(&of((0, 0), (10, 20))).found.contains("10 of 20"));
    }

    #[test]
    fn an_app_explains_what_is_filled_by_people() {
        let families = |levels: &[Level]| levels.iter().zip(0..).map(|(&level, n)| family_key(level, n)).collect();
        let of = |inputs| InCommon { inputs, ..InCommon::default() };
        let filled = Inputs { requests: 100, filled: 60, ln_p_even: -1.0 };
        let texts = families(&[Level::Fragment, Level::System]);
        let explains = |inputs, bought| app(&texts, &of(inputs), bought).explains;
        assert_eq!(explains(Some(filled), false), Some(true));
        assert_eq!(explains(Some(filled), true), Some(false));
        assert_eq!(explains(Some(Inputs { ln_p_even: -11.0, ..filled }), false), Some(false));
        assert_eq!(explains(Some(Inputs { filled: 40, ..filled }), false), Some(false));
        assert_eq!(explains(None, false), Some(false));
        // System prompts alone are an app's, whatever is asked under them.
        let systems = families(&[Level::System]);
        assert_eq!(app(&systems, &of(None), false).explains, Some(true));
        assert_eq!(app(&systems, &of(None), true).explains, Some(false));
    }
}
