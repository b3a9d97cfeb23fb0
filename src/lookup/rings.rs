//! The rings of a store, as reports show them.

use super::drift::{NO_E_VALUES, alarms};
use super::provenance::Battery;
use super::sensitivity::{FOCUS, Known, LEAST_LOG10_E, log10_e_of, sensitivity};
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::KnownTexts;
use crate::ids::{AccountId, Digest, FamilyId};
use crate::report::export::graph::Use;
use crate::report::ring::{
    Disposition, Focus, LateWalk, Link, Note, PastRing, Pivot, Placebo, Planted, Ring, RingDay, RingFamily, RingMember,
    RingsMeta, Route, Rung, Shared,
};
use crate::ring;
use crate::ring::composition::Attribute;
use crate::ring::confirm::AFFINITIES;
use crate::ring::member::at_level;
use crate::ring::placebo::{Dealing, JUDGED, Judged as OfWalks, PLANTED, RUNS, Realised, realised};
use crate::ring::shift::LATE;
use crate::ring::unite::DRAWN;
use crate::ring::walk::HORIZONS;
use crate::stats::proportion_interval;
use crate::store::sorted::{Sorted, equal};
use crate::store::uses::OfAccount;
use crate::store::{Mapped, Store};
use crate::stored::rings::{
    ATTRIBUTES, Behind, Event, Found, InCommon, Kind, LINKS, days, events, found, pivot_known_on, pivot_ln_p,
};
use crate::stored::standing::{Standings, level_of};
use std::collections::{BTreeMap, BTreeSet};

/// Streams of evidence, as reports name them.
const STREAMS: [&str; 7] =
    ["co-use", "composition", "focus", "interchangeability", "load-evenness", "pivot", "simultaneity"];
/// Levels of the lists of members: expected share of false ones.
const LEVELS: [f64; 2] = [0.01, 0.05];

/// The rings of a store, the surest first, with what stands behind the list.
/// # Errors
/// `Store` when it is damaged.
pub fn rings(store: &Store) -> Result<(Vec<Ring>, RingsMeta)> {
    let Some(kept) = found(store)? else {
        let why = "no night has been read for rings yet".to_owned();
        return Ok((Vec::new(), RingsMeta { why, ..RingsMeta::default() }));
    };
    // Without rings nothing is asked, and nothing is opened.
    let shown = if kept.rings.is_empty() {
        None
    } else {
        Some(Shown::open(store, (kept.rings.iter().map(|of| &of.0), &kept.known))?)
    };
    let out = kept.rings.iter().zip(shown.iter().cycle());
    let out = out.map(|((ring, in_common), shown)| shown.ring(ring, in_common)).collect::<Result<Vec<Ring>>>()?;
    Ok((out, meta(&kept, &called)))
}

/// What stands behind a list; `called` names the rings that are none any more.
fn meta(kept: &Found, called: &dyn Fn([u8; 32]) -> String) -> RingsMeta {
    let past = kept.past.iter().map(|(past, _)| PastRing {
        id: called(past.ring.name),
        last: i64::from(past.last),
        became: past.became.map(called),
    });
    let days = kept.days.iter().map(|day| RingDay {
        day: i64::from(day.day),
        accounts: day.accounts,
        families: day.families,
        tested: day.tested,
        proposed: day.proposed,
        cut: day.cut,
        residual: day.residual,
        left_out: day.left_out,
        frozen: Digest(day.frozen),
    });
    let OfWalks { rejected, tested, mean_e } = kept.placebo;
    let upper = proportion_interval(rejected, tested, 0.95).1;
    let (within, no_e_values) = (upper <= kept.config.q, mean_e.is_some_and(|mean| mean >= NO_E_VALUES));
    let late = late_walk(kept.late_walk);
    let valid = within && !no_e_values;
    let why = match (within, tested) {
        (false, 0) => "no placebo was tested for a day yet".to_owned(),
        (false, _) => format!(
            "placebo runs of the last {JUDGED} days confirmed {rejected} of {tested} groups, which does not exclude a share above {}%",
            100.0 * kept.config.q
        ),
        (true, _) if no_e_values => format!(
            "the e-values of placebo runs of the last {JUDGED} days have a mean of {:.0}, which e-values reach in one case of twenty at most",
            mean_e.unwrap_or_default()
        ),
        (true, _) => String::new(),
    };
    let mut alarms = alarms(&kept.days, mean_e, kept.planted);
    // Whoever sends in turns what the walk puts on one day could bring this about, so it is told and no list falls with it.
    if late.lower > kept.config.q {
        alarms.push(format!(
            "the walk of the last {JUDGED} days in which accounts are late confirmed {} of {} groups, which excludes a share below {}%",
            late.rejected,
            late.tested,
            100.0 * kept.config.q
        ));
    }
    RingsMeta {
        proposed: kept.days.iter().map(|day| day.proposed).sum(),
        tested: kept.days.last().map_or(0, |day| day.tested),
        q: kept.config.q,
        phi0: AFFINITIES[0],
        horizon: HORIZONS.map(i64::from).to_vec(),
        placebo: Placebo { runs: RUNS, rejected, tested, upper, mean_e, late },
        planted: Planted {
            accounts: kept.planted.0,
            texts: PLANTED.1,
            each: PLANTED.1 as f64 * PLANTED.2,
            found: kept.planted.1,
        },
        valid,
        why,
        alarms,
        days: days.collect(),
        past: past.collect(),
        late: kept.late,
    }
}

/// Rings among the end users of one account, which in all fields stand in the place of accounts.
#[derive(Debug)]
pub struct EndUsers {
    /// The account.
    pub gateway: AccountId,
    /// End users that it names.
    pub end_users: u64,
    /// Its exchanges.
    pub exchanges: u64,
    /// Of these, such as name no end user, and count for nobody.
    pub unnamed: u64,
    /// The rings, the surest first. No attribute of an account is asked, and no innocent explanation, so their rung is `chance`.
    pub rings: Vec<Ring>,
    /// What stands behind the list.
    pub meta: RingsMeta,
}

/// Rings among the end users of `gateway`, found anew from all its days. `known` texts, those that audits named among accounts, and registered ones are no evidence.
///
/// * Null, error and freezing are those of [`rings`], with the end users of this account as those who act, among themselves.
/// # Errors
/// `Input` when the store has no such account; `Store` when it is damaged.
pub fn rings_behind(store: &Store, model: &Model, known: &KnownTexts, gateway: AccountId) -> Result<EndUsers> {
    let query = "SELECT account FROM accounts WHERE id = ?1";
    let number: Option<u32> = store.catalog().all(query, [gateway.to_string()], |row| row.get(0))?.first().copied();
    let number = number
        .ok_or_else(|| Error::new(ErrorKind::Input, format!("expected an account of the store, got {gateway}")))?;
    let Behind { found, names, uses, exchanges, unnamed } = Behind::of(store, (model, known), number)?;
    let shown = Shown::of(store, names)?;
    // Numbers of end users may be those of accounts, whose rings have other names.
    let called = |name: [u8; 32]| called(Digest::of(&[&name[..], gateway.to_string().as_bytes()].concat()).0);
    let of_one = |(ring, in_common): &(ring::Ring, InCommon)| {
        let members = &ring.members[..at_level(&ring.members, LEVELS[0])];
        let of_ring: BTreeSet<u64> = ring.families.iter().map(|family| family.1).collect();
        let own = uses.iter().filter(|used| of_ring.contains(&used.family));
        let own = own.filter(|used| members.iter().any(|member| member.account == used.account));
        let requests = own.map(|used| u64::from(used.requests)).sum();
        let notes = Vec::new();
        let shown = shown.ring(ring, in_common)?;
        Ok(Ring { id: called(ring.name), campaign: called(ring.campaign), requests, notes, ..shown })
    };
    let rings = found.rings.iter().map(of_one).collect::<Result<Vec<Ring>>>()?;
    let end_users = shown.names.len() as u64;
    Ok(EndUsers { gateway, end_users, exchanges, unnamed, rings, meta: meta(&found, &called) })
}

/// The walk in which accounts are late, as reports tell it.
fn late_walk(OfWalks { rejected, tested, mean_e }: OfWalks) -> LateWalk {
    let (lower, upper) = proportion_interval(rejected, tested, 0.95);
    LateWalk { days: LATE as u64 - 1, rejected, tested, lower, upper, mean_e }
}

/// Rings of earlier days that are none any more, as they were on their last day.
/// # Errors
/// `Store` when the store is damaged.
pub fn past_rings(store: &Store) -> Result<Vec<Ring>> {
    let kept = found(store)?.unwrap_or_default();
    let past = kept.past;
    if past.is_empty() {
        return Ok(Vec::new());
    }
    let shown = Shown::open(store, (past.iter().map(|(past, _)| &past.ring), &kept.known))?;
    let of_one = |(past, in_common): &(ring::placebo::Past, InCommon)| {
        let (id, last, became) = (called(past.ring.name), i64::from(past.last), past.became.map(called));
        let ring = shown.ring(&past.ring, in_common)?;
        Ok(Ring { past: Some(PastRing { id, last, became }), ..ring })
    };
    past.iter().map(of_one).collect()
}

/// Rings as JSON has them; `with_members` adds the members of the first.
#[must_use]
pub fn rings_page(rings: &[Ring], meta: &RingsMeta, with_members: bool) -> serde_json::Value {
    let mut page = serde_json::json!({ "schema": 1, "rings": rings, "rings_meta": meta });
    if let Some(ring) = rings.first().filter(|_| with_members) {
        page["members"] = serde_json::json!(ring.members);
    }
    page
}

/// Rings among the end users of an account as JSON has them: those of accounts, with all members by ring.
#[must_use]
pub fn behind_page(found: &EndUsers) -> serde_json::Value {
    let mut page = rings_page(&found.rings, &found.meta, false);
    page["gateway"] = serde_json::json!(found.gateway);
    page["end_users"] = found.end_users.into();
    page["exchanges"] = found.exchanges.into();
    page["unnamed"] = found.unnamed.into();
    page["members"] = found.rings.iter().map(|ring| (ring.id.clone(), serde_json::json!(ring.members))).collect();
    page
}

/// The name of a ring in reports.
pub(super) fn called(name: [u8; 32]) -> String {
    format!("r{}", &Digest(name).to_string()[..16])
}

/// What rings are shown with.
struct Shown<'a> {
    store: &'a Store,
    names: BTreeMap<u32, AccountId>,
    standings: Option<Standings>,
    said: Vec<Event>,
    /// Innocent explanations; none where they are not asked.
    battery: Option<Battery>,
    counting: Counting,
    models: BTreeMap<u32, String>,
}

impl<'a> Shown<'a> {
    fn open<'b>(
        store: &'a Store,
        (rings, known): (impl Iterator<Item = &'b ring::Ring>, &BTreeSet<u64>),
    ) -> Result<Self> {
        let battery = Some(Battery::open(store, known.clone())?);
        Ok(Self { battery, said: events(store)?, ..Self::of(store, names_of(store, rings)?)? })
    }

    /// With names of accounts, and nothing that was said.
    fn of(store: &'a Store, names: BTreeMap<u32, AccountId>) -> Result<Self> {
        Ok(Self {
            store,
            names,
            standings: Standings::open_kept(store)?,
            said: Vec::new(),
            battery: None,
            counting: Counting::open(store)?,
            models: store
                .catalog()
                .all("SELECT model, name FROM models", [], |row| Ok((row.get(0)?, row.get(1)?)))?
                .into_iter()
                .collect(),
        })
    }

    fn family_id(&self, family: u64) -> Option<FamilyId> {
        let head = self.standings.as_ref()?.head(family)?;
        Some(FamilyId { level: level_of(family).0, lead: head.id })
    }

    /// A ring as reports show it.
    fn ring(&self, ring: &ring::Ring, in_common: &InCommon) -> Result<Ring> {
        let listed = LEVELS.map(|level| at_level(&ring.members, level));
        let members: Vec<RingMember> = ring.members[..listed[1]]
            .iter()
            .enumerate()
            .filter_map(|(i, member)| {
                Some(RingMember {
                    account: *self.names.get(&member.account)?,
                    membership: 1.0 - member.local_fdr,
                    listed: i < listed[0],
                    shared: u64::from(member.families),
                    families: member.top.iter().filter_map(|&family| self.family_id(family)).collect(),
                })
            })
            .collect();
        let families: Vec<RingFamily> = ring
            .families
            .iter()
            .filter_map(|&(day, family, accounts, of)| {
                let (accounts, of) = (u64::from(accounts), u64::from(of));
                Some(RingFamily { family_id: self.family_id(family)?, day: i64::from(day), accounts, of })
            })
            .collect();
        let of_ring: BTreeSet<u64> = ring.families.iter().map(|family| family.1).collect();
        let on_list: Vec<u32> = ring.members[..listed[0]].iter().map(|member| member.account).collect();
        let id = called(ring.name);
        let log10_e = ring.ln_e / std::f64::consts::LN_10;
        let requests = requests(self.store, &on_list, &of_ring)?;
        let composition = in_common.composition.as_ref();
        let of_composition = composition.and_then(|composition| composition.ln_p);
        let bought = of_composition.is_some_and(|ln_p| log10_e_of(ln_p) >= LEAST_LOG10_E);
        let answers = |of: &Battery| of.answers(ring, (in_common, bought), (&on_list, &self.counting), requests);
        let provenance = self.battery.as_ref().map(answers).unwrap_or_default();
        let explained = provenance.iter().any(|answer| answer.explains == Some(true));
        let route = match ring.route {
            ring::Route::CoUse => Route::CoUse,
            ring::Route::Persistent(_) => Route::Persistent,
        };
        let of_streams = streams((&ring.route, ring.ln_e), in_common, (ring.confirmed, i32::MAX));
        let confirming: Vec<&'static str> =
            of_streams.iter().map(|(name, _)| *name).take(confirmed_by(route)).collect();
        let registry = provenance.first().is_some_and(|answer| answer.explains.is_some());
        let known = Known { streams: &of_streams, confirming: &confirming, explained, registry };
        let (rung, without) = (known.rung(None).unwrap_or(Rung::Chance), known.without_each(&STREAMS));
        let streams = named(&of_streams);
        let of_attribute = |of: &Attribute| Shared {
            attribute: ATTRIBUTES.get(usize::from(of.place)).map_or("", |(name, _)| name),
            log10_p: of.ln_p / std::f64::consts::LN_10,
            accounts: u64::from(of.sharing),
            counts: of.counts,
        };
        let shared = composition.map(|of| of.attributes.iter().map(of_attribute).collect()).unwrap_or_default();
        let Judged { disposition, assignee, notes } = judged(&self.said, &id);
        let of_pivot = |of: &crate::stored::rings::Pivot| {
            let shares = of.shares?;
            Some(Pivot {
                model: self.models.get(&of.model).cloned().unwrap_or_default(),
                first: i64::from(of.day),
                accounts: u64::from(shares.accounts),
                share: shares.share,
                of_others: shares.of_others,
                log10_p: shares.ln_p / std::f64::consts::LN_10,
            })
        };
        let focus = in_common.focus.map(|focus| Focus {
            accounts: focus.others.map_or(0, |of| u64::from(of.accounts)),
            share: focus.others.map(|of| of.share),
            of_others: focus.others.map(|of| of.of_others),
            log10_p: focus.others.map(|of| of.ln_p / std::f64::consts::LN_10),
            shared_requests: u64::from(focus.shared.1),
            shared_focused: u64::from(focus.shared.0),
        });
        let links = in_common.links.iter().map(|link| Link {
            link: LINKS.get(usize::from(link.kind)).copied().unwrap_or_default(),
            accounts: u64::from(link.accounts),
            of: u64::from(link.of),
            having: u64::from(link.having),
            known: u64::from(link.known),
        });
        Ok(Ring {
            disposition,
            assignee,
            notes,
            campaign: called(ring.campaign),
            id,
            route,
            rung,
            gamma_star: ring.gamma_star,
            log10_e,
            first_proposed: i64::from(ring.proposed),
            confirmed_night: i64::from(ring.confirmed),
            accounts: listed[0] as u64,
            requests,
            families,
            streams,
            without,
            sensitivity: sensitivity(ring, in_common),
            focus,
            pivots: in_common.pivots.iter().filter_map(of_pivot).collect(),
            links: links.collect(),
            uses: drawn(ring, listed[1], &|family| self.family_id(family)),
            tested_accounts: composition.map_or(0, |of| u64::from(of.accounts)),
            in_common: shared,
            provenance,
            members_at: LEVELS.iter().zip(listed).map(|(level, n)| (level.to_string(), n as u64)).collect(),
            members,
            past: None,
        })
    }
}

/// How many streams confirm a ring of this route: the first ones of [`streams`].
const fn confirmed_by(route: Route) -> usize {
    match route {
        Route::CoUse => 1,
        Route::Persistent => 2,
    }
}

/// Decimal logarithms of the e-values of streams, those that confirm first, as they were known on a day: what a ring's accounts have in common is
/// asked once, on the day that confirmed it, and of a model when its first days are over.
pub(super) fn streams(
    (route, ln_e): (&ring::Route, f64),
    in_common: &InCommon,
    (confirmed, day): (i32, i32),
) -> Vec<(&'static str, Option<f64>)> {
    let log10 = |ln_p: f64| Some(log10_e_of(ln_p));
    let mut out = match route {
        ring::Route::CoUse => vec![("co-use", Some(ln_e / std::f64::consts::LN_10))],
        ring::Route::Persistent(streams) => vec![
            ("interchangeability", log10(streams.ln_p_interchangeable)),
            ("load-evenness", log10(streams.ln_p_even)),
        ],
    };
    let asked = (day >= confirmed).then_some(in_common);
    let pivots: Vec<_> =
        asked.into_iter().flat_map(|of| &of.pivots).filter(|pivot| pivot_known_on(pivot) <= day).copied().collect();
    out.push(("composition", asked.and_then(|of| log10(of.composition.as_ref()?.ln_p?))));
    out.push(("simultaneity", asked.and_then(|of| log10(of.timing?.ln_p))));
    out.push(("pivot", pivot_ln_p(&pivots).and_then(log10)));
    out.push((FOCUS, asked.and_then(|of| log10(of.focus?.others?.ln_p))));
    out
}

/// All streams by name, those that were not asked as none.
pub(super) fn named(streams: &[(&'static str, Option<f64>)]) -> BTreeMap<&'static str, Option<f64>> {
    let of = |name: &'static str| (name, streams.iter().find(|(of, _)| *of == name).and_then(|(_, e)| *e));
    STREAMS.into_iter().map(of).collect()
}

/// Walks through the days of a store without their coordination, made so in each way.
/// # Errors
/// `Store` when it is damaged.
pub fn placebo(store: &Store, model: &Model, walks: u64, seed: u64) -> Result<[Realised; 3]> {
    let (days, config) = days(store, model)?;
    Ok([Dealing::Choices, Dealing::Names, Dealing::Dates].map(|dealing| realised(&days, &config, dealing, walks, seed)))
}

/// What such walks confirmed as JSON has it.
#[must_use]
pub fn placebo_page(all: &[Realised]) -> serde_json::Value {
    serde_json::json!({ "schema": 1, "placebo": all })
}

/// Who used what, of members on the list and families that the store still names, by their places there.
fn drawn(ring: &ring::Ring, listed: usize, family_id: &dyn Fn(u64) -> Option<FamilyId>) -> Vec<(u8, u8)> {
    let mut places = Vec::new();
    let mut n = 0u8;
    for (_, family, ..) in ring.families.iter().take(DRAWN) {
        let is_named = family_id(*family).is_some();
        places.push(is_named.then_some(n));
        n += u8::from(is_named);
    }
    let place = |family: u8| places.get(usize::from(family)).copied().flatten();
    let uses = ring.uses.iter().filter(|(member, _)| usize::from(*member) < listed);
    uses.filter_map(|&(member, family)| Some((member, place(family)?))).collect()
}

/// What people said of a ring: the newest verdict, who looks into it as last said, and all that was said, in words.
#[derive(Default)]
struct Judged {
    disposition: Option<Disposition>,
    assignee: Option<String>,
    notes: Vec<Note>,
}

fn judged(said: &[Event], ring: &str) -> Judged {
    let mut out = Judged::default();
    for Event { time, author, kind, value, .. } in said.iter().filter(|event| event.ring == ring) {
        let text = match kind {
            Kind::Alert => continue,
            Kind::Disposition => {
                out.disposition = Disposition::ALL.into_iter().find(|disposition| disposition.word() == *value);
                format!("disposition: {value}")
            }
            Kind::Assignee => {
                out.assignee = (!value.is_empty()).then(|| value.clone());
                format!("assigned to {}", if value.is_empty() { "nobody" } else { value })
            }
            Kind::Note => value.clone(),
        };
        out.notes.push(Note { time: *time, author: author.clone(), text });
    }
    out
}

/// Names of the accounts of rings.
pub(super) fn names_of<'a>(
    store: &Store,
    rings: impl Iterator<Item = &'a ring::Ring>,
) -> Result<BTreeMap<u32, AccountId>> {
    let wanted: BTreeSet<u32> = rings.flat_map(|ring| ring.members.iter().map(|member| member.account)).collect();
    let mut out = BTreeMap::new();
    for number in wanted {
        let query = "SELECT id FROM accounts WHERE account = ?1";
        let found: Vec<String> = store.catalog().all(query, [number], |row| row.get(0))?;
        out.extend(found.first().and_then(|id| id.parse().ok()).map(|id| (number, id)));
    }
    Ok(out)
}

/// Uses of families by accounts that still count.
pub(super) struct Counting {
    standings: Option<Standings>,
    files: Vec<Sorted<Mapped, OfAccount>>,
}

impl Counting {
    pub(super) fn open(store: &Store) -> Result<Self> {
        let files =
            store.of_kind("uses-by-account").map(|file| store.read(file, Sorted::open)).collect::<Result<_>>()?;
        Ok(Self { standings: Standings::open_kept(store)?, files })
    }

    /// Those of one account, of these families.
    pub(super) fn of<'s>(
        &'s self,
        account: u32,
        families: impl Fn(u64) -> bool + 's,
    ) -> impl Iterator<Item = &'s OfAccount> {
        let own = self.files.iter().flat_map(move |file| equal(file.all(), |used| used.account.cmp(&account)));
        own.filter(move |used| {
            let head = || self.standings.as_ref().and_then(|standings| standings.head(used.family));
            families(used.family) && head().is_some_and(|head| used.night >= head.uses_from)
        })
    }
}

/// Requests of accounts in families, by account and family.
fn uses(store: &Store, accounts: &[u32], families: &BTreeSet<u64>) -> Result<BTreeMap<(u32, u64), u64>> {
    let (counting, mut out) = (Counting::open(store)?, BTreeMap::new());
    for used in accounts.iter().flat_map(|&account| counting.of(account, |family| families.contains(&family))) {
        *out.entry((used.account, used.family)).or_insert(0) += u64::from(used.requests);
    }
    Ok(out)
}

/// Requests of accounts in families.
fn requests(store: &Store, accounts: &[u32], families: &BTreeSet<u64>) -> Result<u64> {
    Ok(uses(store, accounts, families)?.values().sum())
}

/// Which accounts of the list of level 1% of these rings used which of their families, and how often.
pub(super) fn uses_of(store: &Store, wanted: &[Ring]) -> Result<Vec<Use>> {
    let kept = found(store)?.map(|kept| kept.rings).unwrap_or_default();
    let is_wanted = |ring: &&ring::Ring| wanted.iter().any(|other| other.id == called(ring.name));
    let rings: Vec<&ring::Ring> = kept.iter().map(|of| &of.0).filter(is_wanted).collect();
    let (names, standings) = (names_of(store, rings.iter().copied())?, Standings::open_kept(store)?);
    let mut out = Vec::new();
    for ring in rings {
        let listed = &ring.members[..at_level(&ring.members, LEVELS[0])];
        let accounts: Vec<u32> = listed.iter().map(|member| member.account).collect();
        let families = ring.families.iter().map(|family| family.1).collect();
        for ((account, family), requests) in uses(store, &accounts, &families)? {
            let head = standings.as_ref().and_then(|standings| standings.head(family));
            let family = head.map(|head| FamilyId { level: level_of(family).0, lead: head.id });
            if let (Some(&account), Some(family)) = (names.get(&account), family) {
                out.push(Use { account, family, requests });
            }
        }
    }
    Ok(out)
}

/// The header of the list of members.
const HEADER: &str = "ring_id,account,route,membership,rung,gamma_star,confirmed_night";

/// Members on the list of level 1% of confirmed rings on this rung or above, as CSV: one row a member, `ring_id,account,route,membership,rung,gamma_star,confirmed_night`.
/// # Errors
/// `Store` when it is damaged.
pub fn export_rings(store: &Store, least: Rung) -> Result<String> {
    let mut out = format!("{HEADER}\n");
    for ring in rings(store)?.0.iter().filter(|ring| ring.rung >= least) {
        for member in ring.members.iter().filter(|member| member.listed) {
            let day = crate::report::date_of(ring.confirmed_night);
            let (id, route, rung) = (&ring.id, ring.route.word(), ring.rung.word());
            let (account, membership, gamma) = (member.account, member.membership, ring.gamma_star);
            out += &format!("{id},{account},{route},{membership:.6},{rung},{gamma},{day}\n");
        }
    }
    Ok(out)
}
