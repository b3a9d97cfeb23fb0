//! Rings as a report shows them: accounts that act together, with what was tested and what error that has.

use super::date;
use crate::ids::{AccountId, FamilyId, Time};
use serde::Serialize;
use std::collections::BTreeMap;

/// How far a ring has come: what is excluded so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Chance and innocent affinity up to φ0.
    Chance,
    /// Innocent explanations on record too: texts were registered, and no answer of the battery explains the ring.
    Provenance,
    /// A stream beside those that confirmed it, which knows nothing of them, says that its accounts are one sender's too.
    SecondStream,
}

impl Rung {
    /// All of them, lowest first.
    pub const ALL: [Self; 3] = [Self::Chance, Self::Provenance, Self::SecondStream];

    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Chance => "chance",
            Self::Provenance => "provenance",
            Self::SecondStream => "second-stream",
        }
    }
}

/// What brought a ring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Route {
    /// New families, shared beside those that proposed it: on later days, or in the other half of the day's texts.
    #[serde(rename = "co-use")]
    CoUse,
    /// One text, day after day, from accounts that behave like one sender's.
    #[serde(rename = "persistent")]
    Persistent,
}

impl Route {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CoUse => "co-use",
            Self::Persistent => "persistent",
        }
    }
}

/// What an analyst concluded of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// It acts together, and may: a class, a test, an agency.
    BenignCoordinated,
    /// It sells access.
    Resale,
    /// It takes answers to train on.
    Extraction,
    /// Not to be told.
    Unknown,
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::BenignCoordinated, Self::Resale, Self::Extraction, Self::Unknown];

    /// The word in commands and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BenignCoordinated => "benign-coordinated",
            Self::Resale => "resale",
            Self::Extraction => "extraction",
            Self::Unknown => "unknown",
        }
    }
}

/// An innocent explanation of a ring, and what its test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Which one: `registered-text`, `gateway`, `one-organisation`, `agency`, `class-or-event`, `monitoring`, `automation`, `unregistered-app`.
    pub explanation: &'static str,
    /// Whether it explains the ring; none where it could not be tested.
    pub explains: Option<bool>,
    /// What was found, in words.
    pub found: String,
}

impl Explanation {
    /// The answer in words.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.explains {
            Some(true) => "explains it",
            Some(false) => "does not explain it",
            None => "not tested",
        }
    }
}

/// What somebody noted about a ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// When.
    pub time: Time,
    /// Who.
    pub author: String,
    /// The text, as it was given.
    pub text: String,
}

/// Accounts that act together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ring {
    /// Its name.
    pub id: String,
    /// The campaign it belongs to: the name of its first ring.
    pub campaign: String,
    /// What brought it about.
    pub route: Route,
    /// What is excluded so far.
    pub rung: Rung,
    /// The largest affinity, as a factor on the odds, that innocent accounts might have and the ring still be confirmed.
    pub gamma_star: f64,
    /// Decimal logarithm of the e-value at φ0.
    pub log10_e: f64,
    /// The day that proposed its first group.
    #[serde(serialize_with = "date")]
    pub first_proposed: i64,
    /// The day that confirmed it.
    #[serde(serialize_with = "date")]
    pub confirmed_night: i64,
    /// Members of the list of level 1%.
    pub accounts: u64,
    /// Their requests in its families.
    pub requests: u64,
    /// What it shared, most accounts first.
    pub families: Vec<RingFamily>,
    /// Evidence by stream, decimal logarithm of an e-value each, none where the route does not ask it; never combined.
    pub streams: BTreeMap<&'static str, Option<f64>>,
    /// The rung that it would have without each stream, in a word, [`NOT_CONFIRMED`] where it would be no ring; none where the stream was not asked.
    pub without: BTreeMap<&'static str, Option<&'static str>>,
    /// What is left of its streams where something in their tests is changed.
    pub sensitivity: Vec<Sensitivity>,
    /// Whether its first group's requests want reasoning written out or answers graded; none where that was not asked.
    pub focus: Option<Focus>,
    /// How its first group took up models that were new.
    pub pivots: Vec<Pivot>,
    /// What accounts of its first group share for a fact.
    pub links: Vec<Link>,
    /// Which of the first members used which of the first families: places in both lists.
    #[serde(skip)]
    pub uses: Vec<(u8, u8)>,
    /// Accounts of the first confirmed group that were active on the day that confirmed it: those whose attributes were compared.
    pub tested_accounts: u64,
    /// What they have in common beside their texts, by attribute.
    pub in_common: Vec<Shared>,
    /// Innocent explanations that were tested, with what was found.
    pub provenance: Vec<Explanation>,
    /// The newest verdict of an analyst, who is named in the notes; none where nobody has judged it.
    pub disposition: Option<Disposition>,
    /// Who is to look into it, as last said; none where nobody is.
    pub assignee: Option<String>,
    /// Verdicts and notes of analysts, oldest first.
    pub notes: Vec<Note>,
    /// How many accounts the list of each level has.
    pub members_at: BTreeMap<String, u64>,
    /// Whoever is on the list of level 5%, the likeliest first.
    #[serde(skip)]
    pub members: Vec<RingMember>,
    /// When it left the list; none where it is on it.
    pub past: Option<PastRing>,
}

/// A ring that left the list, since nothing was heard of it for four weeks or another has its accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastRing {
    /// Its name.
    pub id: String,
    /// The last day on which it was listed.
    #[serde(serialize_with = "date")]
    pub last: i64,
    /// The ring that has most of its accounts since.
    pub became: Option<String>,
}

/// An attribute whose values accounts were compared by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// Its name: `payment`, `network`, `client`, `region`, `registered`.
    pub attribute: &'static str,
    /// Decimal logarithm of the p-value: its rank among draws of accounts of the same plan that ask about as much.
    pub log10_p: f64,
    /// Accounts with the value that most of them have.
    pub accounts: u64,
    /// Whether it counts towards the stream `composition`; what customers of one app share by being its customers does not.
    pub counts: bool,
}

impl Shared {
    /// What is said behind an attribute that counts for nothing.
    #[must_use]
    pub const fn aside(&self) -> &'static str {
        if self.counts { "" } else { "; counts for nothing, since customers of one app share it" }
    }
}

/// What is left of a stream where something in its test is changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The stream.
    pub stream: &'static str,
    /// What is changed, a name of [`CHANGES`].
    pub change: &'static str,
    /// Decimal logarithm of the e-value; none where it could not be asked.
    pub log10_e: Option<f64>,
    /// Of `co-use`, whether the ring would still be confirmed; of others, whether the e-value is twenty or more, which counts towards the rung.
    pub stands: Option<bool>,
}

/// What a ring's first group asks for, on the day that confirmed it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Focus {
    /// Accounts that were compared.
    pub accounts: u64,
    /// Mean share of their requests with the focus, of those in no family that two of them used; none where they are too few.
    pub share: Option<f64>,
    /// The same of all other accounts.
    pub of_others: Option<f64>,
    /// Decimal logarithm of the p-value of the share: its rank among draws of accounts of the same plan that ask as much.
    pub log10_p: Option<f64>,
    /// Requests of the group in families that two of its accounts used; no test is made of them.
    pub shared_requests: u64,
    /// Those of them with the focus.
    pub shared_focused: u64,
}

/// How a ring's first group took up a model in its first days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pivot {
    /// The model, as logs name it.
    pub model: String,
    /// Its first day.
    #[serde(serialize_with = "date")]
    pub first: i64,
    /// Accounts that were compared.
    pub accounts: u64,
    /// Mean share of their requests that went to it.
    pub share: f64,
    /// The same of all other accounts.
    pub of_others: f64,
    /// Decimal logarithm of the p-value of the share, for this model alone.
    pub log10_p: f64,
}

/// A value that accounts share for a fact: no p-value, and no rung rests on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is: `payment`, `client`, `address`, `end-user`.
    pub link: &'static str,
    /// Accounts of the first group that have the value which says most.
    pub accounts: u64,
    /// Accounts of the first group that name any value.
    pub of: u64,
    /// All accounts of the day that have it.
    pub having: u64,
    /// All accounts of the day that name any value.
    pub known: u64,
}

/// Characters of a model's name that are shown.
const MODEL_CHARS: usize = 40;

impl Ring {
    /// What focus, pivots and links say, in words: a line each.
    #[must_use]
    pub fn facts(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        let mut out = Vec::new();
        if let Some(focus) = &self.focus {
            let (shared, focused) = (focus.shared_requests, focus.shared_focused);
            out.push(format!(
                "{focused} of {shared} requests in texts that they share want reasoning or grades: said, not tested"
            ));
            if let (Some(share), Some(others), Some(log10_p)) = (focus.share, focus.of_others, focus.log10_p) {
                let (n, share, others) = (focus.accounts, percent(share), percent(others));
                out.push(format!("of what else {n} accounts ask, {share} does (others: {others}; p 10^{log10_p:.1}); this raises no rung"));
            }
        }
        for pivot in &self.pivots {
            let (share, others) = (percent(pivot.share), percent(pivot.of_others));
            let model: String = pivot.model.chars().take(MODEL_CHARS).collect();
            let (n, log10_p, first) = (pivot.accounts, pivot.log10_p, super::date_of(pivot.first));
            out.push(format!("{n} accounts sent {share} of their requests to model {model:?}, new on {first} (others: {others}; p 10^{log10_p:.1})"));
        }
        for Link { link, accounts, of, having, known } in &self.links {
            out.push(format!("{accounts} of {of} accounts have one {link}, as have {having} of all {known}: a fact, without a p-value"));
        }
        out
    }
}

/// Changes of tests, with what each is in words.
pub const CHANGES: [(&str, &str); 9] = [
    ("top-text-dropped", "without the text that says most on each day"),
    ("no-interests", "with a null that does not know what accounts asked before"),
    ("coarser-neighbourhoods", "with sixteen large neighbourhoods of text"),
    ("within-strata", "where what is popular depends on plan, payment and month of registration"),
    ("busiest-account-dropped", "without the account that shares most (already so in the test)"),
    ("no-registration-day", "without the day of registration"),
    ("any-plan", "against accounts of any plan"),
    ("bins-of-1-hour", "moved within 1 hour in place of 4"),
    ("bins-of-8-hours", "moved within 8 hours in place of 4"),
];

impl Sensitivity {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let (stream, change) = (self.stream, CHANGES.iter().find(|(name, _)| *name == self.change));
        let change = change.map_or(self.change, |(_, words)| words);
        let stands = match (self.stream, self.stands) {
            (_, None) => "not asked".to_owned(),
            ("co-use", Some(true)) => "still confirmed".to_owned(),
            ("co-use", Some(false)) => "not confirmed".to_owned(),
            (_, Some(true)) => "counts".to_owned(),
            (_, Some(false)) => "too little to count".to_owned(),
        };
        let log10_e = self.log10_e.map(|log10_e| format!(", log10 E {log10_e:.1}")).unwrap_or_default();
        format!("{stream} {change}: {stands}{log10_e}")
    }
}

/// What a ring would be without the stream that confirms it.
pub const NOT_CONFIRMED: &str = "not-confirmed";

/// The rung of a ring without each stream that was asked, in words.
#[must_use]
pub fn without_words(without: &BTreeMap<&'static str, Option<&'static str>>) -> String {
    let asked = without.iter().filter_map(|(stream, rung)| Some((*stream, (*rung)?)));
    let word = |rung| if rung == NOT_CONFIRMED { "not confirmed" } else { rung };
    asked.map(|(stream, rung)| format!("without {stream}: {}", word(rung))).collect::<Vec<_>>().join("; ")
}

/// A family that a ring shared on a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingFamily {
    /// Its name.
    pub family_id: FamilyId,
    /// The day.
    #[serde(serialize_with = "date")]
    pub day: i64,
    /// Accounts of the ring that used it for the first time.
    pub accounts: u64,
    /// All accounts that did.
    pub of: u64,
}

/// A member of a ring.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingMember {
    /// The account.
    pub account: AccountId,
    /// The chance that it belongs, in [0, 1]: one less its local false discovery rate.
    pub membership: f64,
    /// Whether it is on the list of level 1%.
    pub listed: bool,
    /// Families of the ring that it used for the first time together with others.
    pub shared: u64,
    /// The three of them that say most.
    pub families: Vec<FamilyId>,
}

/// What an e-value says in words, given as its decimal logarithm: the verbal scale of likelihood ratios of the ENFSI guideline for evaluative
/// reporting (2015), which is of the least that the evidence is worth, since an e-value is at most a likelihood ratio on average.
#[must_use]
pub fn verbal(log10_e: f64) -> &'static str {
    match log10_e {
        ..0.301 => "no support",
        ..1.0 => "weak support",
        ..2.0 => "moderate support",
        ..3.0 => "moderately strong support",
        ..4.0 => "strong support",
        ..6.0 => "very strong support",
        _ => "extremely strong support",
    }
}

/// What a ring means and what it does not.
pub const READING: &str = "A ring is a finding about coordination as modelled, no probability of guilt: a class, an app without a \
    registration or a shared exercise can act together innocently.";

/// What stands behind the list of rings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RingsMeta {
    /// Groups proposed on the days that were read.
    pub proposed: u64,
    /// Groups under test on the newest day.
    pub tested: u64,
    /// Share of false ones expected among the groups confirmed of one day's proposals.
    pub q: f64,
    /// Factor by which innocent affinity may raise an account's odds.
    pub phi0: f64,
    /// Days after the proposal at which evidence counts; 0 is the day itself, for what half of its texts proposed and the other half tests.
    pub horizon: Vec<i64>,
    /// Runs on data without coordination.
    pub placebo: Placebo,
    /// A campaign that was planted beside, to know what would be found.
    pub planted: Planted,
    /// Whether the placebo runs are as they should be.
    pub valid: bool,
    /// Why not.
    pub why: String,
    /// What the newest day has that the four weeks before it had not, in words.
    pub alarms: Vec<String>,
    /// The days that were read, newest last.
    pub days: Vec<RingDay>,
    /// Rings that left the list.
    pub past: Vec<PastRing>,
    /// Exchanges that came after their day was over, or on a day that has hardly any; nothing was made of them.
    pub late: u64,
}

impl RingsMeta {
    /// What the list means and what it does not, in words: null, number of tests, error, placebo.
    #[must_use]
    pub fn words(&self) -> String {
        let groups = format!(
            "{} groups were proposed on {} days, each tested only by what did not propose it: later days, or the other half of that day's texts. ",
            self.proposed,
            self.days.len()
        );
        let null = format!(
            "Null: {}. Of the groups confirmed of one day's proposals at most {}% are expected to be false. ",
            self.null(),
            100.0 * self.q
        );
        let placebo = format!(
            "{} placebo walks, where who chose what was dealt anew, confirmed {} of {} groups of the last four weeks (at most {:.2}% at 95%). ",
            self.placebo.runs,
            self.placebo.rejected,
            self.placebo.tested,
            100.0 * self.placebo.upper
        );
        let late = &self.placebo.late;
        let late = format!(
            "A walk in which each account is up to {} days late, so that habits stay, confirmed {} of {} (at most {:.2}%). ",
            late.days,
            late.rejected,
            late.tested,
            100.0 * late.upper
        );
        let planted = format!(
            "Of a campaign of {} accounts planted beside, each sending {} of {} new texts a day, {} are listed. ",
            self.planted.accounts, self.planted.each, self.planted.texts, self.planted.found
        );
        let valid = if self.valid { String::new() } else { format!("This list is not valid: {}. ", self.why) };
        let alarms: String = self.alarms.iter().map(|alarm| format!("Alarm: {alarm}. ")).collect();
        format!("{groups}{null}{placebo}{late}{planted}{valid}{alarms}{READING}")
    }

    /// The null hypothesis in words.
    #[must_use]
    pub fn null(&self) -> String {
        format!(
            "accounts choose families independently, given their activity, the families' popularity and their own interests; innocent affinity \
             multiplies odds by at most {}",
            self.phi0
        )
    }
}

/// One day of rings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingDay {
    /// The day.
    #[serde(serialize_with = "date")]
    pub day: i64,
    /// Accounts.
    pub accounts: u64,
    /// Families that were new to two accounts or more.
    pub families: u64,
    /// Groups that were tested.
    pub tested: u64,
    /// Groups that it proposed.
    pub proposed: u64,
    /// Groups that a bound left out.
    pub cut: u64,
    /// Largest relative difference of accounts expected by the null and seen.
    pub residual: f64,
    /// Families without a fit, which carry no evidence.
    pub left_out: u64,
    /// Digest of its proposals.
    pub frozen: crate::ids::Digest,
}

/// Placebo runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Placebo {
    /// Runs.
    pub runs: u64,
    /// Groups that they confirmed.
    pub rejected: u64,
    /// Groups that they tested.
    pub tested: u64,
    /// Upper end of the 95% interval of the share of groups that a run confirms.
    pub upper: f64,
    /// Mean of the e-values of their tests, one at most under the null; none without a test.
    pub mean_e: Option<f64>,
    /// One more, in which accounts keep their habits.
    pub late: LateWalk,
}

/// The placebo run in which each account does what it did some days before, by a number of days of its own: habits stay, what accounts do on the same day goes, but for those with the same
/// number. So it is an upper bound, and only a share that is surely too large speaks against the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LateWalk {
    /// Days by which an account is late, at most.
    pub days: u64,
    /// Groups that it confirmed.
    pub rejected: u64,
    /// Groups that it tested.
    pub tested: u64,
    /// Lower end of the 95% interval of the share of groups that it confirms.
    pub lower: f64,
    /// Upper end of it.
    pub upper: f64,
    /// Mean of the e-values of its tests, one at most under the null; none without a test.
    pub mean_e: Option<f64>,
}

/// A campaign that is planted in a copy of the days, never shown to anybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Planted {
    /// Its accounts.
    pub accounts: u64,
    /// Its new texts of a day.
    pub texts: u64,
    /// How many of them an account sends, on average.
    pub each: f64,
    /// How many of its accounts are listed at a level of 1%.
    pub found: u64,
}

/// A ring as the page of an account or a family names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingOf {
    /// Its name.
    pub ring_id: String,
    /// What is excluded so far.
    pub rung: Rung,
    /// The largest affinity that it survives.
    pub gamma_star: f64,
    /// The day that confirmed it.
    #[serde(serialize_with = "date")]
    pub confirmed_night: i64,
    /// The last day on which it was listed; none where it still is.
    #[serde(serialize_with = "date_or_none")]
    pub last: Option<i64>,
    /// The account's chance that it belongs, in [0, 1]; none on the page of a family.
    pub membership: Option<f64>,
}

/// A day as a date, or null.
fn date_or_none<S: serde::Serializer>(day: &Option<i64>, out: S) -> Result<S::Ok, S::Error> {
    day.map(super::date_of).serialize(out)
}

#[cfg(test)]
mod tests {
    use super::verbal;

    /// The bounds of the scale are likelihood ratios of 2, 10, 100, 1,000, 10,000 and 1,000,000.
    #[test]
    fn words_change_at_the_bounds_of_the_scale() {
        let ratios: [f64; 7] = [1.9, 2.1, 11.0, 110.0, 1_100.0, 11_000.0, 1.1e6];
        let words = ratios.map(|ratio| verbal(ratio.log10()).trim_end_matches(" support").to_owned());
        assert_eq!(words, ["no", "weak", "moderate", "moderately strong", "strong", "very strong", "extremely strong"]);
        assert_eq!((verbal(f64::NEG_INFINITY), verbal(300.0)), ("no support", "extremely strong support"));
    }
}
