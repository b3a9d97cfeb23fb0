//! A store → the values of a report: every family counted, the leading ones described. Descriptive, not a score.

use super::details::details;
use super::ranking::{List, Ranking};
use crate::error::Result;
use crate::family::calibrate::Calibration;
use crate::family::judge::RULE_VERSION;
use crate::family::length::{Lengths, Thresholds, length_words};
use crate::family::template::{self, Part, Template};
use crate::ids::{Digest, FamilyId, Level, Time};
use crate::report::{
    Counts, DayCount, Family, FamilyNight, Length, ModelCount, Night, Parameters, Quarantined, Report, SCHEMA, Totals,
};
use crate::store::{Store, tables};
use crate::stored::fragment_families::{fragment_family_of, template_of, template_with_values};
use crate::stored::known::SINGLE;
use crate::stored::rows::{by_system, exchange_ids, system_texts};
use crate::stored::standing::{AllUses, Standing, Standings, add, count_one, family_key, level_of};
use crate::stored::totals;
use crate::stored::view::{Row, View};
use crate::stored::{AuditConfig, calibration, recorded_calibration, recorded_thresholds, rule};
use arrow_array::cast::AsArray;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Families described at most in a report that is kept.
pub const MOST_FAMILIES: usize = 5_000;
/// Trivial, system and known families described at most.
const MOST_APART: usize = 200;
/// Members of a family that a template is made of are read at most; an even sample of more.
const MOST_MEMBERS: usize = template::MAX_MEMBERS;

/// Texts of one family whose requests are looked at for those that are shown.
const MOST_ASKED: usize = 4_096;

/// What every family is described with.
pub(super) struct About {
    /// Served models, by number.
    pub(super) models: Vec<String>,
    /// Accounts with an exchange.
    n_accounts: u64,
}

impl About {
    pub(super) fn of(store: &Store) -> Result<Self> {
        let models = store.catalog().all("SELECT name FROM models ORDER BY model", [], |row| row.get(0))?;
        let count = "SELECT count(*) FROM accounts WHERE id NOT GLOB 'forgotten-*'";
        let n_accounts = store.catalog().all(count, [], |row| row.get::<_, i64>(0))?;
        let n_accounts = n_accounts.first().map_or(0, |n| n.unsigned_abs());
        Ok(Self { models, n_accounts })
    }
}

/// Describes families of a store.
pub(super) struct Describe<'a> {
    pub(super) store: &'a Store,
    pub(super) view: &'a View,
    pub(super) about: &'a About,
    /// Whether slots say how often their values came.
    pub(super) with_values: bool,
}

impl Describe<'_> {
    /// Everything a report says of a family.
    fn describe(&self, standing: &Standing, template: Template, example: Option<String>) -> Result<Family> {
        let Standing { head, behind } = standing;
        let (level, number) = level_of(head.family);
        let time = |micros| Time::new(micros).unwrap_or_else(|| Time::new(0).expect("the epoch is a time"));
        let night =
            |&(night, requests, accounts, new_accounts)| FamilyNight { night, requests, accounts, new_accounts };
        let model = |(&model, &requests)| ModelCount {
            model: self.about.models.get(model as usize).cloned().unwrap_or_default(),
            requests,
        };
        let mut models: Vec<ModelCount> = behind.models.iter().map(model).collect();
        models.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.model.cmp(&b.model)));
        models.truncate(5);
        let near = level == Level::NearDuplicate;
        let within = match level {
            Level::Exact => Some(self.view.family(number))
                .filter(|&family| family != SINGLE)
                .map(|family| self.view.families[family as usize].id()),
            Level::Fragment => {
                let wider = self.view.fragments[number as usize].within();
                wider.map(|wider| self.view.fragments[wider as usize].id())
            }
            _ => None,
        };
        let newest = self.store.nights().last().map(|night| night.night);
        let new_accounts = if newest == Some(head.last_night) { head.new_accounts } else { 0 };
        let fragment =
            (level == Level::Fragment).then(|| details((self.store, self.view), standing, self.about.n_accounts));
        // Older names, those of families that were merged into it.
        let merged = if near { self.view.merged_into(number) } else { Vec::new() };
        Ok(Family {
            id: standing.id(),
            level,
            rule: near.then(|| self.view.rule_of(number)),
            within,
            accounts: head.accounts,
            requests: head.requests,
            distinct_prompts: head.prompts,
            new_accounts,
            new_account_share: new_accounts as f64 / head.accounts.max(1) as f64,
            first_seen: time(head.first),
            last_seen: time(head.last),
            template: template.text(),
            template_members: template.members,
            template_parts: template.parts,
            slots: template.slots,
            example,
            nights: behind.nights.iter().map(night).collect(),
            days: behind.days.iter().map(|(&day, &requests)| DayCount { day, requests }).collect(),
            models,
            merged: merged.into_iter().map(|merged| self.view.families[merged as usize].id()).collect(),
            smallest_similarity: near.then_some(behind.smallest),
            fragment: fragment.transpose()?,
        })
    }

    /// Describes families, in the order given.
    pub(super) fn all(&self, standings: &[Standing]) -> Result<Vec<Family>> {
        let nights: BTreeMap<u32, u16> =
            self.store.nights().iter().zip(0..).map(|(night, place)| (night.night, place)).collect();
        let first = |standing: &Standing| {
            let (_, night, row) = standing.behind.first;
            (nights.get(&night).copied().unwrap_or(u16::MAX), row)
        };
        let examples = exchange_ids(self.store, &standings.iter().map(first).collect::<Vec<_>>())?;
        let numbers = standings.iter().map(|standing| level_of(standing.head.family));
        let systems: Vec<u32> =
            numbers.filter(|(level, _)| *level == Level::System).map(|(_, number)| number).collect();
        let texts = system_texts(self.store, &systems)?;
        let template = |standing: &Standing| match level_of(standing.head.family) {
            (Level::System, system) => fixed(texts.get(&system).map_or("", String::as_str)),
            (Level::Exact, prompt) => fixed(self.view.text(prompt).0),
            (Level::Fragment, head) if self.with_values => template_with_values(self.view, head),
            (Level::Fragment, head) => template_of(self.view, head),
            (Level::NearDuplicate, family) => near_template(self.view, family, self.with_values),
        };
        let templates: Vec<Template> = standings.par_iter().map(template).collect();
        let described = standings.iter().zip(templates).zip(examples);
        described.map(|((standing, template), example)| self.describe(standing, template, Some(example))).collect()
    }
}

fn near_template(view: &View, family: u32, with_values: bool) -> Template {
    let members = view.members(family);
    let step = members.len().div_ceil(MOST_MEMBERS).max(1);
    let chosen = members.iter().step_by(step);
    let leader = view.text(view.families[family as usize].leader).0;
    if with_values {
        let counted = chosen.map(|&prompt| (view.text(prompt).0, view.postings_of(prompt).count() as u64));
        return template::induce_of(leader, &counted.collect::<Vec<_>>());
    }
    template::induce(leader, &chosen.map(|&prompt| view.text(prompt).0).collect::<Vec<_>>())
}

/// A family without slots.
fn fixed(text: &str) -> Template {
    Template { parts: vec![Part::Text(text.to_owned())], slots: Vec::new(), members: 1 }
}

/// Accounts of a family, by number: requests, first and last moment.
pub(crate) type Accounts = BTreeMap<u32, (u64, i64, i64)>;

/// One family, described.
pub(crate) struct One {
    pub(crate) family: Family,
    pub(crate) accounts: Accounts,
    /// Requests in order of time: of all of its texts, or of some thousands, evenly chosen.
    pub(crate) rows: Vec<Row>,
}

/// The exchanges of a family, each as the number of its night in the store and its row there.
/// # Errors
/// `Input` when the store has no family of this name; `Store` when it is damaged.
pub fn family_exchanges(store: &Store, id: FamilyId) -> Result<BTreeSet<(usize, u32)>> {
    let view = View::open(store)?;
    let key = key_of(store, &view, id)?.ok_or_else(|| super::filter::unknown_family(id))?;
    let (level, number, _) = described_as(&view, key, id);
    let rows = rows_of(&view, level, number, usize::MAX);
    Ok(rows.into_iter().map(|row| (usize::from(row.night), row.posting.row)).collect())
}

/// What stands under a name: level, number and the name that it has now.
fn described_as(view: &View, key: u32, id: FamilyId) -> (Level, u32, FamilyId) {
    let near = view.family(key);
    match id.level {
        // What resembles nothing else is described as the exact family that it is, under the name that was asked for.
        Level::NearDuplicate if near == SINGLE => (Level::Exact, key, id),
        Level::NearDuplicate => (id.level, near, view.families[near as usize].id()),
        Level::Fragment => (id.level, key, view.fragments[key as usize].id()),
        level => (level, key, id),
    }
}

/// Requests of a family in order of time: of all of its texts, or of at most so many, evenly chosen.
fn rows_of(view: &View, level: Level, number: u32, most: usize) -> Vec<Row> {
    let mut rows = match level {
        Level::NearDuplicate => {
            let members = view.members(number);
            let step = members.len().div_ceil(most).max(1);
            view.rows_of(&members.into_iter().step_by(step).collect::<Vec<_>>())
        }
        Level::Exact => view.rows_of(&[number]),
        Level::System => view.rows_of_system(number),
        Level::Fragment => fragment_family_of(view, number, most).rows(view, &by_system(view, [number])),
    };
    rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row));
    rows
}

/// How a family stands under this name, and its accounts; `None` where the store has none of this name.
pub(crate) fn standing_of(store: &Store, view: &View, id: FamilyId) -> Result<Option<(Standing, Accounts)>> {
    let Some(key) = key_of(store, view, id)? else { return Ok(None) };
    let (level, number, name) = described_as(view, key, id);
    let standings = Standings::open_kept(store)?;
    let kept = standings.as_ref().and_then(|kept| kept.of(family_key(level, number)));
    let (standing, accounts) = match kept {
        Some(standing) => {
            let accounts = AllUses::open(store)?.accounts_of(&standing.head);
            (standing, accounts)
        }
        None => {
            let rows = rows_of(view, level, number, usize::MAX);
            let mut accounts = BTreeMap::new();
            rows.iter()
                .for_each(|row| add(&mut accounts, row.posting.account, (1, row.posting.time, row.posting.time)));
            (count_one(store, view, (level, number, name), &rows), accounts)
        }
    };
    Ok((standing.head.requests >= 2).then_some((standing, accounts)))
}

/// One family; `None` where the store has none of this name.
pub(crate) fn one(store: &Store, view: &View, id: FamilyId) -> Result<Option<One>> {
    let Some((standing, accounts)) = standing_of(store, view, id)? else { return Ok(None) };
    let (level, number) = level_of(standing.head.family);
    let mut described = Describe { store, view, about: &About::of(store)?, with_values: true }.all(&[standing])?.pop();
    if let Some(family) = described.as_mut().filter(|_| level != id.level) {
        (family.id, family.level) = (id, id.level);
        (family.within, family.smallest_similarity) = (None, Some(1.0));
    }
    Ok(described.map(|family| One { family, accounts, rows: rows_of(view, level, number, MOST_ASKED) }))
}

/// The leading prompt, or the system prompt, of a family by its name. A merged family's name leads to the one it joined.
pub(crate) fn key_of(store: &Store, view: &View, id: FamilyId) -> Result<Option<u32>> {
    if id.level == Level::Fragment {
        // A part leads to its head.
        let query = "SELECT head FROM fragments WHERE id = ?1 ORDER BY fragment LIMIT 1";
        return Ok(store.catalog().all(query, [id.to_string()], |row| row.get(0))?.pop());
    }
    if id.level == Level::NearDuplicate {
        let leader: Vec<u32> =
            store.catalog().all("SELECT leader FROM families WHERE id = ?1", [id.to_string()], |row| row.get(0))?;
        if let Some(&leader) = leader.first() {
            return Ok(Some(leader));
        }
    }
    if let Some(number) = Standings::number_of(store, id)? {
        return Ok(Some(number));
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

/// The report on a store as it is, after a run that did `counts`; `most` families are described, and fewer of those that are listed apart.
/// # Errors
/// `Store` when it is damaged, `Io` when it cannot be read.
pub fn report(store: &Store, counts: &Counts, config: &AuditConfig, most: usize) -> Result<Report> {
    let view = &View::open(store)?;
    report_of((store, view), &Ranking::new(store, view)?, counts, (config, most))
}

/// The same, of families that are ranked already.
pub(super) fn report_of(
    (store, view): (&Store, &View),
    ranking: &Ranking,
    counts: &Counts,
    (config, most): (&AuditConfig, usize),
) -> Result<Report> {
    let numbers = ranking.numbers(view);
    let leading = |list: List, most: usize| ranking.leading((store, view), list, most);
    let totals = totals::of_nights(store, view)?;
    let sum = totals::sum(&totals);
    let number = |list: List, level: Level| numbers.get(&(list, level)).copied().unwrap_or(0);
    let of_list = |list: List| numbers.iter().filter(|((of, _), _)| *of == list).map(|(_, n)| n).sum::<u64>();
    let store_totals = Totals {
        exchanges: store.nights().iter().map(|night| night.exchanges).sum(),
        accounts: ranking.about.n_accounts,
        distinct_prompts: sum.prompts,
        trivial_prompts: sum.trivial,
        without_vector: sum.without_vector,
        long_prompts: sum.long_prompts,
        windows: sum.windows,
        windows_cut: store.nights().iter().map(|night| night.windows_cut).sum(),
        nights: store.nights().len() as u64,
        first_seen: store.nights().iter().map(|night| night.first_seen).min().and_then(Time::new),
        last_seen: store.nights().iter().map(|night| night.last_seen).max().and_then(Time::new),
        near_families: number(List::Main, Level::NearDuplicate),
        exact_families: number(List::Main, Level::Exact) + of_list(List::Trivial),
        system_families: of_list(List::Systems),
        fragment_families: number(List::Main, Level::Fragment) + of_list(List::Known),
        known_families: of_list(List::Known),
        fragment_bytes_cut: store.nights().iter().map(|night| night.print_bytes_cut).sum(),
        fragments_cut: store.nights().iter().map(|night| night.fragments_cut).sum(),
    };
    let (parameters, notes) = parameters(store, view, config, &sum.lengths)?;
    let (rings, rings_meta) = super::rings::rings(store)?;
    Ok(Report {
        schema: SCHEMA,
        planting: crate::stored::planting::kept(store)?.last,
        parameters,
        counts: counts.clone(),
        store: store_totals,
        nights: nights(store, &totals)?,
        quarantined: quarantined(store)?,
        rings,
        rings_meta,
        families_total: of_list(List::Main),
        families: leading(List::Main, most)?,
        trivial_families: leading(List::Trivial, most.min(MOST_APART))?,
        system_families: leading(List::Systems, most.min(MOST_APART))?,
        known_families: leading(List::Known, most.min(MOST_APART))?,
        removed: sum.removed,
        notes,
    }
    .finish())
}

fn nights(store: &Store, totals: &[totals::Totals]) -> Result<Vec<Night>> {
    let query = "SELECT night, count(*) FROM families GROUP BY night";
    let new_families: BTreeMap<u32, i64> =
        store.catalog().all(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect();
    let night = |(night, totals): (&crate::store::Night, &totals::Totals)| Night {
        night: night.night,
        first_seen: Time::new(night.first_seen),
        last_seen: Time::new(night.last_seen),
        exchanges: night.exchanges,
        accounts: totals.accounts,
        new_accounts: u64::from(night.accounts),
        new_families: new_families.get(&night.night).map_or(0, |n| n.unsigned_abs()),
    };
    Ok(store.nights().iter().zip(totals).map(night).collect())
}

/// Rows that were kept aside, by night and reason.
fn quarantined(store: &Store) -> Result<Vec<Quarantined>> {
    let query = "SELECT night, quarantined_by_reason FROM inputs WHERE rows_quarantined > 0";
    let inputs: Vec<(u32, String)> = store.catalog().all(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut out: BTreeMap<(u32, String), u64> = BTreeMap::new();
    for (night, reasons) in inputs {
        let reasons: BTreeMap<String, u64> = serde_json::from_str(&reasons).unwrap_or_default();
        reasons.into_iter().for_each(|(reason, rows)| *out.entry((night, reason)).or_default() += rows);
    }
    Ok(out.into_iter().map(|((night, reason), rows)| Quarantined { night, reason, rows }).collect())
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

fn parameters(
    store: &Store,
    view: &View,
    config: &AuditConfig,
    prompts: &Lengths,
) -> Result<(Parameters, Vec<String>)> {
    let meta = |name: &str| store.catalog().meta(name).map(Option::unwrap_or_default);
    let digest = |hex: &str| hex.parse().unwrap_or(Digest([0; 32]));
    let calibration = calibration(store)?;
    let used = rule(&calibration, config, prompts);
    let recorded: serde_json::Value = serde_json::from_str(&meta("rule")?).unwrap_or_default();
    let number = |name: &str, otherwise: f32| recorded[name].as_f64().unwrap_or_else(|| f64::from(otherwise));
    let round = |x: f64| (x * 1e4).round() / 1e4;
    let thresholds = recorded_thresholds(&recorded).unwrap_or(used.thresholds);
    let threshold = number("threshold", used.highest());
    let lengths = lengths(&calibration, &thresholds, prompts);
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
        compared_nights: recorded["compared_nights"].as_u64().unwrap_or_default(),
        fragment_run: (crate::text::winnow::GRAM + crate::text::winnow::WINDOW - 1) as u64,
        seed: recorded["seed"].as_u64().unwrap_or(config.seed),
        batch_rows: recorded["batch_rows"].as_u64().unwrap_or(config.log.batch_rows as u64),
        account_key_commitment: digest(&meta("key_commitment")?),
    };
    Ok((parameters, notes))
}
