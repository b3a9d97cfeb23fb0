//! A store → the values of a report: every family counted, the leading ones described. Descriptive, not a score: families
//! are ranked by accounts, then requests, then name.

use super::facts::{Facts, Row, exchange_ids, removed, system_digests, system_texts};
use super::fragment_families::{FragmentFamily, fragment_families, fragment_family};
use super::view::{SINGLE, View};
use super::{AuditConfig, calibration, recorded_calibration, recorded_thresholds, rule};
use crate::error::Result;
use crate::family::calibrate::Calibration;
use crate::family::judge::RULE_VERSION;
use crate::family::length::{Lengths, Thresholds, length_words};
use crate::family::template::{self, Part, Template};
use crate::ids::{Digest, FamilyId, Level, Time};
use crate::report::{
    Counts, DayCount, Family, FamilyNight, Length, ModelCount, Night, Parameters, Report, SCHEMA, Totals,
};
use crate::store::postings::{NONE, Posting};
use crate::store::{Store, tables};
use arrow_array::cast::AsArray;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Families described at most in each list of a report.
const MOST_FAMILIES: usize = 5_000;
/// Trivial and system families described at most.
const MOST_APART: usize = 200;
/// Members of a family that a template is made of are read at most; an even sample of more.
const MOST_MEMBERS: usize = template::MAX_MEMBERS;

/// A family before it is described.
struct Counted {
    level: Level,
    key: u32,
    id: FamilyId,
    rows: Vec<Row>,
    accounts: u64,
    new_accounts: u64,
    prompts: Vec<u32>,
    /// At the level of fragments.
    fragment: Option<FragmentFamily>,
}

struct Describe<'a> {
    store: &'a Store,
    view: &'a View,
    facts: &'a Facts,
    /// Older names of a family, by its leader.
    merged: BTreeMap<u32, Vec<FamilyId>>,
}

impl<'a> Describe<'a> {
    fn new(store: &'a Store, view: &'a View, facts: &'a Facts) -> Self {
        let mut merged: BTreeMap<u32, Vec<FamilyId>> = BTreeMap::new();
        for (number, family) in view.families.iter().enumerate().filter(|(_, family)| family.merged_into.is_some()) {
            let into = view.families[view.root(number as u32) as usize].leader;
            merged.entry(into).or_default().push(family.id);
        }
        Self { store, view, facts, merged }
    }

    fn count(&self, level: Level, key: u32, id: FamilyId, rows: Vec<Row>) -> Counted {
        let mut accounts: Vec<u32> = rows.iter().map(|row| row.posting.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let newest = self.store.nights().len().saturating_sub(1);
        let new = accounts.iter().filter(|&&account| self.night_of(account) == newest).count();
        let mut prompts: Vec<u32> = rows.iter().map(|row| row.posting.prompt).collect();
        prompts.sort_unstable();
        prompts.dedup();
        Counted {
            level,
            key,
            id,
            rows,
            accounts: accounts.len() as u64,
            new_accounts: new as u64,
            prompts,
            fragment: None,
        }
    }

    /// Index of the night that an account is first seen in.
    fn night_of(&self, account: u32) -> usize {
        // A night without new accounts begins where the next one does, so the last that begins there has it.
        self.store.nights().partition_point(|night| night.first_account <= account).saturating_sub(1)
    }

    fn n_accounts(&self) -> u64 {
        self.store.nights().last().map_or(0, |night| u64::from(night.first_account) + u64::from(night.accounts))
    }

    /// A fragment family, counted; `None` where fewer than two requests are left.
    fn fragment(&self, fragment: FragmentFamily, by_system: &HashMap<u32, Vec<Row>>) -> Option<Counted> {
        let rows = fragment.rows(self.view, by_system);
        let id = self.view.fragments[fragment.head as usize].id;
        (rows.len() > 1).then(|| {
            let counted = self.count(Level::Fragment, fragment.head, id, rows);
            Counted { fragment: Some(fragment), ..counted }
        })
    }

    /// Everything a report says of a family.
    fn describe(&self, family: &Counted, template: Template, example: Option<String>) -> Family {
        let (first, last) = (family.rows[0].posting.time, family.rows[family.rows.len() - 1].posting.time);
        let time = |micros| Time::new(micros).unwrap_or_else(|| Time::new(0).expect("the epoch is a time"));
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        let mut models: BTreeMap<u32, u64> = BTreeMap::new();
        let mut nights: BTreeMap<u16, (u64, Vec<u32>)> = BTreeMap::new();
        for row in &family.rows {
            *days.entry(time(row.posting.time).day()).or_default() += 1;
            *models.entry(row.posting.model).or_default() += 1;
            let night = nights.entry(row.night).or_default();
            night.0 += 1;
            night.1.push(row.posting.account);
        }
        let mut seen: std::collections::HashSet<u32> = std::collections::HashSet::new();
        let nights = nights
            .into_iter()
            .map(|(night, (requests, mut accounts))| {
                accounts.sort_unstable();
                accounts.dedup();
                let new = accounts.iter().filter(|&&account| seen.insert(account)).count() as u64;
                let number = self.store.nights()[usize::from(night)].night;
                FamilyNight { night: number, requests, accounts: accounts.len() as u64, new_accounts: new }
            })
            .collect();
        let mut models: Vec<ModelCount> = models
            .into_iter()
            .filter(|(model, _)| *model != NONE)
            .map(|(model, requests)| ModelCount {
                model: self.facts.models.get(model as usize).cloned().unwrap_or_default(),
                requests,
            })
            .collect();
        models.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.model.cmp(&b.model)));
        models.truncate(5);
        let near = family.level == Level::NearDuplicate;
        let number = near.then(|| self.view.family(family.key)).filter(|&number| number != SINGLE);
        let merged = if near { self.merged.get(&family.key).cloned().unwrap_or_default() } else { Vec::new() };
        let smallest =
            near.then(|| family.prompts.iter().map(|&prompt| self.facts.similarity(prompt)).fold(1f32, f32::min));
        let within = match family.level {
            Level::Exact => Some(self.view.family(family.key))
                .filter(|&number| number != SINGLE)
                .map(|number| self.view.families[number as usize].id),
            Level::Fragment => {
                let wider = self.view.fragments[family.key as usize].within;
                wider.map(|wider| self.view.fragments[wider as usize].id)
            }
            _ => None,
        };
        let fragment = family.fragment.as_ref().map(|fragment| {
            let days = time(last).day() - time(first).day();
            fragment.details(self.view, days, family.accounts, self.n_accounts())
        });
        Family {
            id: family.id,
            level: family.level,
            rule: number.map(|number| self.view.rule_of(number)),
            within,
            accounts: family.accounts,
            requests: family.rows.len() as u64,
            distinct_prompts: fragment.as_ref().map_or(family.prompts.len() as u64, |fragment| fragment.texts),
            new_accounts: family.new_accounts,
            new_account_share: family.new_accounts as f64 / family.accounts.max(1) as f64,
            first_seen: time(first),
            last_seen: time(last),
            template: template.text(),
            template_members: template.members,
            template_parts: template.parts,
            slots: template.slots,
            example,
            nights,
            days: days.into_iter().map(|(day, requests)| DayCount { day, requests }).collect(),
            models,
            merged,
            smallest_similarity: smallest,
            fragment,
        }
    }
}

fn template(view: &View, family: &Counted) -> Template {
    if let Some(fragment) = &family.fragment {
        return fragment.template(view);
    }
    if family.level != Level::NearDuplicate {
        return fixed(view.text(family.key).0);
    }
    let step = family.prompts.len().div_ceil(MOST_MEMBERS).max(1);
    let members: Vec<&str> = family.prompts.iter().step_by(step).map(|&prompt| view.text(prompt).0).collect();
    template::induce(view.text(family.key).0, &members)
}

/// A family without slots.
fn fixed(text: &str) -> Template {
    Template { parts: vec![Part::Text(text.to_owned())], slots: Vec::new(), members: 1 }
}

fn rank(a: &Counted, b: &Counted) -> std::cmp::Ordering {
    b.accounts.cmp(&a.accounts).then(b.rows.len().cmp(&a.rows.len())).then(a.id.cmp(&b.id))
}

/// Which families a list shows.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery {
    /// At most this many.
    pub most: usize,
    /// Only of this level; without it all but system prompts.
    pub level: Option<Level>,
    /// Only those seen at or after this time.
    pub since: Option<Time>,
    /// Only those whose exchanges are all of the newest night.
    pub new_tonight: bool,
    /// Only those with at least this many accounts.
    pub least_accounts: u64,
    /// Trivial texts too.
    pub trivial: bool,
}

/// All families of a store, counted; the levels that a report lists together come first.
pub(crate) struct Counting<'a> {
    describe: Describe<'a>,
    listed: Vec<Counted>,
    trivial: Vec<Counted>,
    systems: Vec<Counted>,
    /// Fragment families that a known text explains.
    known: Vec<Counted>,
}

impl<'a> Counting<'a> {
    pub(crate) fn new(store: &'a Store, view: &'a View, facts: &'a Facts) -> Result<Self> {
        let describe = Describe::new(store, view, facts);
        let mut listed = Vec::new();
        for (key, rows) in facts.groups(|posting| facts.near(view, posting.prompt)) {
            // A near-duplicate family of one distinct prompt is an exact family, and is listed as that.
            if rows.iter().any(|row| row.posting.prompt != rows[0].posting.prompt) {
                let id = view.family_id(Level::NearDuplicate, key);
                listed.push(describe.count(Level::NearDuplicate, key, id, rows));
            }
        }
        let (mut trivial, mut systems) = (Vec::new(), Vec::new());
        for (key, rows) in facts.groups(|posting| Some(posting.prompt)) {
            let list = if facts.trivial[key as usize] { &mut trivial } else { &mut listed };
            list.push(describe.count(Level::Exact, key, view.family_id(Level::Exact, key), rows));
        }
        let digests = system_digests(store)?;
        for (key, rows) in facts.groups(|posting| (posting.system != NONE).then_some(posting.system)) {
            let digest = digests.get(key as usize).copied().unwrap_or(Digest([0; 32]));
            systems.push(describe.count(
                Level::System,
                key,
                FamilyId::derive(&view.naming_key, Level::System, &digest),
                rows,
            ));
        }
        let by_system = facts.by_system(view);
        let mut known = Vec::new();
        for fragment in fragment_families(view) {
            let list = if view.fragments[fragment.head as usize].known.is_some() { &mut known } else { &mut listed };
            list.extend(describe.fragment(fragment, &by_system));
        }
        for list in [&mut listed, &mut trivial, &mut systems, &mut known] {
            list.sort_by(rank);
        }
        Ok(Self { describe, listed, trivial, systems, known })
    }

    /// Without any family.
    fn of(describe: Describe<'a>) -> Self {
        Self { describe, listed: Vec::new(), trivial: Vec::new(), systems: Vec::new(), known: Vec::new() }
    }

    /// Name, level, accounts and exchanges of every family, and the same of those exchanges that `keep` takes.
    pub(super) fn sizes(&self, keep: &dyn Fn(&Posting) -> bool) -> Vec<(FamilyId, Level, [u64; 2], [u64; 2])> {
        let all = self.listed.iter().chain(&self.trivial).chain(&self.systems).chain(&self.known);
        let size = |family: &Counted| {
            let mut accounts: Vec<u32> =
                family.rows.iter().filter(|row| keep(&row.posting)).map(|row| row.posting.account).collect();
            let kept = accounts.len() as u64;
            accounts.sort_unstable();
            accounts.dedup();
            let size = [family.accounts, family.rows.len() as u64];
            (family.id, family.level, size, [accounts.len() as u64, kept])
        };
        all.map(size).collect()
    }

    /// Families that a list shows, best ranked first, described.
    pub(crate) fn list(&self, wanted: &ListQuery) -> Result<Vec<Family>> {
        let all = self.listed.iter().chain(&self.trivial).chain(&self.systems).chain(&self.known);
        let newest = self.describe.store.nights().len().saturating_sub(1);
        let level =
            |family: &Counted| wanted.level.map_or(family.level != Level::System, |level| level == family.level);
        let since = |family: &Counted| {
            wanted.since.is_none_or(|since| family.rows[family.rows.len() - 1].posting.time >= since.micros())
        };
        let new =
            |family: &Counted| !wanted.new_tonight || family.rows.iter().all(|row| usize::from(row.night) == newest);
        let trivial = |family: &Counted| {
            let of_prompt = matches!(family.level, Level::Exact | Level::NearDuplicate);
            wanted.trivial || !of_prompt || !self.describe.facts.trivial[family.key as usize]
        };
        let mut picked: Vec<&Counted> = all
            .filter(|family| family.accounts >= wanted.least_accounts)
            .filter(|family| level(family) && since(family) && new(family) && trivial(family))
            .collect();
        picked.sort_by(|a, b| rank(a, b));
        picked.truncate(wanted.most);
        self.describe_all(&picked)
    }

    fn describe_all(&self, families: &[&Counted]) -> Result<Vec<Family>> {
        let wanted: Vec<(u16, u32)> = families.iter().map(|f| (f.rows[0].night, f.rows[0].posting.row)).collect();
        let examples = exchange_ids(self.describe.store, &wanted)?;
        let systems: Vec<u32> = families.iter().filter(|f| f.level == Level::System).map(|f| f.key).collect();
        let system_texts = system_texts(self.describe.store, &systems)?;
        let view = self.describe.view;
        let templates: Vec<Template> = families
            .par_iter()
            .map(|family| match family.level {
                Level::System => fixed(system_texts.get(&family.key).map_or("", String::as_str)),
                _ => template(view, family),
            })
            .collect();
        let described = families.iter().zip(templates).zip(examples);
        Ok(described
            .map(|((family, template), example)| self.describe.describe(family, template, Some(example)))
            .collect())
    }
}

/// One family, described; `None` where the store has none of this name.
pub(crate) fn one(store: &Store, view: &View, facts: &Facts, id: FamilyId) -> Result<Option<(Family, Vec<Member>)>> {
    let Some(key) = key_of(store, view, id)? else { return Ok(None) };
    let describe = Describe::new(store, view, facts);
    if id.level == Level::Fragment {
        let Some(counted) = describe.fragment(fragment_family(view, key), &facts.by_system(view)) else {
            return Ok(None);
        };
        let members = counted.rows.iter().map(|row| Member { posting: row.posting, night: row.night }).collect();
        let mut described = Counting::of(describe).describe_all(&[&counted])?;
        return Ok(described.pop().map(|family| (family, members)));
    }
    let prompts: Vec<u32> = match id.level {
        Level::NearDuplicate => match view.family_of.get(key as usize) {
            Some(&family) if family != SINGLE => view.members(family),
            _ => vec![key],
        },
        _ => vec![key],
    };
    let mut rows: Vec<Row> = if id.level == Level::System {
        facts.rows.iter().filter(|row| row.posting.system == key).copied().collect()
    } else {
        let of = |&prompt: &u32| view.postings_of(prompt).map(|(night, &posting)| Row { posting, night: night as u16 });
        prompts.iter().flat_map(of).collect()
    };
    rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row));
    if rows.len() < 2 {
        return Ok(None);
    }
    let members = rows.iter().map(|row| Member { posting: row.posting, night: row.night }).collect();
    let counting = Counting::of(describe);
    let lead = if id.level == Level::NearDuplicate { view.near_leader(key) } else { key };
    let name = if id.level == Level::NearDuplicate { view.family_id(id.level, lead) } else { id };
    let counted = counting.describe.count(id.level, lead, name, rows);
    let mut described = counting.describe_all(&[&counted])?;
    Ok(described.pop().map(|family| (family, members)))
}

/// One exchange of a family.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) posting: Posting,
    pub(crate) night: u16,
}

/// The leading prompt, or the system prompt, of a family by its name. A merged family's name leads to the one it joined.
pub(crate) fn key_of(store: &Store, view: &View, id: FamilyId) -> Result<Option<u32>> {
    if id.level == Level::Fragment {
        // A part leads to its head.
        let found = view.fragments.iter().find(|fragment| fragment.id == id);
        return Ok(found.map(|fragment| fragment.head));
    }
    if id.level == Level::NearDuplicate {
        let leader: Vec<u32> =
            store.catalog().all("SELECT leader FROM families WHERE id = ?1", [id.to_string()], |row| row.get(0))?;
        if let Some(&leader) = leader.first() {
            return Ok(Some(leader));
        }
    }
    let (kind, column) =
        if id.level == Level::System { ("systems-table", "digest") } else { ("prompts-table", "digest") };
    let mut number = 0;
    for file in store.of_kind(kind) {
        for batch in tables::read(&store.path(file), &[column], None)? {
            let batch = batch?;
            for digest in batch.column(0).as_binary::<i32>() {
                let digest = Digest(digest.and_then(|d| d.try_into().ok()).unwrap_or([0; 32]));
                if FamilyId::derive(&view.naming_key, id.level, &digest) == id {
                    return Ok(Some(number));
                }
                number += 1;
            }
        }
    }
    Ok(None)
}

/// The report on a store as it is, after a run that did `counts`.
/// # Errors
/// `Store` when it is damaged, `Io` when it cannot be read.
pub fn report(dir: &std::path::Path, counts: &Counts, config: &AuditConfig) -> Result<Report> {
    let store = Store::open(dir)?;
    let view = View::open(&store)?;
    let facts = Facts::read(&store, &view)?;
    let counting = Counting::new(&store, &view, &facts)?;
    let listed: Vec<&Counted> = counting.listed.iter().take(MOST_FAMILIES).collect();
    let apart = |list: &'_ [Counted]| -> Result<Vec<Family>> {
        counting.describe_all(&list.iter().take(MOST_APART).collect::<Vec<_>>())
    };
    let levels = |level| counting.listed.iter().filter(|family| family.level == level).count() as u64;
    let totals = Totals {
        exchanges: facts.rows.len() as u64,
        accounts: facts.n_accounts(),
        distinct_prompts: facts.sent.iter().filter(|&&x| x).count() as u64,
        trivial_prompts: facts.trivial.iter().filter(|&&x| x).count() as u64,
        without_vector: facts.vector.iter().zip(&facts.sent).filter(|&(&vector, &sent)| sent && !vector).count() as u64,
        long_prompts: facts.long_prompts,
        windows: facts.windows,
        windows_cut: store.nights().iter().map(|night| night.windows_cut).sum(),
        nights: store.nights().len() as u64,
        first_seen: store.nights().iter().map(|night| night.first_seen).min().and_then(Time::new),
        last_seen: store.nights().iter().map(|night| night.last_seen).max().and_then(Time::new),
        near_families: levels(Level::NearDuplicate),
        exact_families: levels(Level::Exact) + counting.trivial.len() as u64,
        system_families: counting.systems.len() as u64,
        fragment_families: levels(Level::Fragment) + counting.known.len() as u64,
        known_families: counting.known.len() as u64,
        fragment_bytes_cut: store.nights().iter().map(|night| night.print_bytes_cut).sum(),
        fragments_cut: store.nights().iter().map(|night| night.fragments_cut).sum(),
    };
    let (parameters, notes) = parameters(&store, &view, config)?;
    Ok(Report {
        schema: SCHEMA,
        parameters,
        counts: counts.clone(),
        store: totals,
        nights: nights(&store, &view, &facts),
        families_total: counting.listed.len() as u64,
        families: counting.describe_all(&listed)?,
        trivial_families: apart(&counting.trivial)?,
        system_families: apart(&counting.systems)?,
        known_families: apart(&counting.known)?,
        removed: removed(&store)?,
        notes,
    }
    .finish())
}

fn nights(store: &Store, view: &View, facts: &Facts) -> Vec<Night> {
    let mut accounts: Vec<Vec<u32>> = vec![Vec::new(); store.nights().len()];
    facts.rows.iter().for_each(|row| accounts[usize::from(row.night)].push(row.posting.account));
    let count = |mut list: Vec<u32>| {
        list.sort_unstable();
        list.dedup();
        list.len() as u64
    };
    store
        .nights()
        .iter()
        .zip(accounts)
        .map(|(night, accounts)| Night {
            night: night.night,
            first_seen: Time::new(night.first_seen),
            last_seen: Time::new(night.last_seen),
            exchanges: night.exchanges,
            accounts: count(accounts),
            new_accounts: u64::from(night.accounts),
            new_families: view.families.iter().filter(|family| family.night == night.night).count() as u64,
        })
        .collect()
}

/// Unrelated neighbours to expect for prompts of each length that the store holds.
fn lengths(calibration: &Calibration, thresholds: &Thresholds, prompts: &Lengths) -> Vec<Length> {
    let length = |(class, &n): (usize, &u64)| {
        let rate = calibration.neighbours(thresholds, class, prompts);
        let others = prompts.iter().enumerate().filter(|(other, _)| calibration.of(class, *other).is_none());
        Length {
            bytes: length_words(class).into(),
            prompts: n,
            threshold: (f64::from(thresholds[class][class]) * 1e4).round() / 1e4,
            unrelated_neighbours: rate.point,
            low: rate.low,
            high: rate.high,
            uncalibrated: others.map(|(_, n)| n).sum(),
        }
    };
    prompts.iter().enumerate().filter(|(_, n)| **n > 0).map(length).collect()
}

fn parameters(store: &Store, view: &View, config: &AuditConfig) -> Result<(Parameters, Vec<String>)> {
    let meta = |name: &str| store.catalog().meta(name).map(Option::unwrap_or_default);
    let digest = |hex: &str| hex.parse().unwrap_or(Digest([0; 32]));
    let calibration = calibration(store)?;
    let prompts = view.lengths();
    let used = rule(&calibration, config, &prompts);
    let recorded: serde_json::Value = serde_json::from_str(&meta("rule")?).unwrap_or_default();
    let number = |name: &str, otherwise: f32| recorded[name].as_f64().unwrap_or_else(|| f64::from(otherwise));
    let round = |x: f64| (x * 1e4).round() / 1e4;
    let thresholds = recorded_thresholds(&recorded).unwrap_or(used.thresholds);
    let threshold = number("threshold", used.highest());
    let lengths = lengths(&calibration, &thresholds, &prompts);
    let worst = lengths.iter().map(|length| length.high).fold(0.0, f64::max);
    let mut notes = Vec::new();
    if calibration.model != meta("model_digest")? {
        notes.push("The threshold was calibrated with another model: run stillhunt calibrate on this traffic.".into());
    }
    if recorded_calibration(store)?.is_some_and(|own| own.rule != RULE_VERSION) {
        notes.push(
            "The calibration recorded in this store is of an older rule and was not used: run stillhunt calibrate --record again."
                .into(),
        );
    }
    for length in lengths.iter().filter(|length| length.uncalibrated > 0) {
        notes.push(format!(
            "Prompts of {} bytes ({} in the store) lie outside of what was calibrated against {} others: run stillhunt calibrate on this traffic.",
            length.bytes, length.prompts, length.uncalibrated
        ));
    }
    let old = (0..view.families.len() as u32).filter(|&family| view.rule_of(family) < RULE_VERSION).count();
    if old > 0 {
        notes.push(format!(
            "{old} near-duplicate families were made by an older rule, which joined unrelated long prompts; each says so. Audit the logs into a new store to judge them again."
        ));
    }
    let parameters = Parameters {
        version: env!("CARGO_PKG_VERSION").into(),
        model_digest: digest(&meta("model_digest")?),
        model_name: meta("model_name")?,
        dimension: meta("dimension")?.parse().unwrap_or(0),
        rule: recorded["version"].as_u64().map_or(1, |version| version as u32),
        threshold: round(threshold),
        diameter: round(number("diameter", used.diameter)),
        candidate_floor: round(number("floor", used.floor)),
        expected_unrelated_neighbours: worst,
        lengths,
        calibration: calibration.source.clone(),
        fragment_accounts: recorded["fragment_accounts"].as_u64().unwrap_or(config.fragments.least_accounts.into()),
        fragment_nights: recorded["fragment_nights"].as_u64().unwrap_or(config.fragments.nights.into()),
        fragment_run: (crate::text::winnow::GRAM + crate::text::winnow::WINDOW - 1) as u64,
        seed: recorded["seed"].as_u64().unwrap_or(config.seed),
        batch_rows: recorded["batch_rows"].as_u64().unwrap_or(config.log.batch_rows as u64),
        account_key_commitment: digest(&meta("key_commitment")?),
    };
    Ok((parameters, notes))
}
