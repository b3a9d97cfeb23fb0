//! An investigator's look-ups, long because all of them share what one opening maps: a text to similar prompts, a family to its accounts, an account to its families.

use super::filter::{Filter, SimilarQuery, unknown_family};
use super::once::Once;
use super::ranking::{ListQuery, Ranking};
use super::registry::{Candidate, suggest_of};
use super::rings::{rings_of_account, rings_of_family};
use super::sharing::{Sharer, hours, sharers};
use super::summary::{Accounts, One, one, report_of, standing_of};
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::Scanner;
use crate::family::judge::{Rule, score};
use crate::family::template;
use crate::ids::{AccountId, Digest, FamilyId, Field, Level, Time};
use crate::index::{self, Ask, Hit, Probes, Segment, Vectors};
use crate::report::ring::RingOf;
use crate::report::{Counts, Family, Report};
use crate::store::facts::Head;
use crate::store::postings::{NONE, Posting};
use crate::store::uses::Activity;
use crate::store::{Mapped, Store};
use crate::stored::fragment_families::template_of;
use crate::stored::known::SINGLE;
use crate::stored::rows::exchange_ids;
use crate::stored::standing::{OfOne, Standings, family_key, level_of};
use crate::stored::view::{Stored, View, segments};
use crate::stored::{AuditConfig, calibration, recorded_thresholds, rule, rule_of, totals, view};
use crate::text::{self, Grams};
use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Lists that a single search asks: seen from one side, those whose leader is at least 0.10 similar hold 99.6% of what the judge accepts
/// at any similarity, and are a seventh of all entries (`benches/record/quality-lists.md`). In a store of some millions they are more than
/// 3,072, and the nearest of all segments are read: on ten million they hold 96% of the top ten, and all that was accepted
/// (`benches/record/speed-nights.md`).
const PROBES: Probes = Probes { least: 24, most: 3_072, bound: 0.10 };
/// Most hits that the family rule returns.
const MOST_ACCEPTED: usize = 100_000;
/// Accounts named with a hit.
const MOST_ACCOUNTS: usize = 20;

/// A store, opened for look-ups.
pub struct Opened<'a> {
    pub(super) store: Store,
    pub(super) view: View,
    model: &'a Model,
    whole: Vec<Segment<Mapped>>,
    /// Made when first asked for.
    scanner: OnceLock<Scanner>,
    ranking: Once<Ranking>,
    candidates: Once<Vec<Candidate>>,
    rule: Rule,
}

/// One similar prompt: the first exchange that sent it and passes the filters stands for the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimilarHit {
    /// Cosine, in [−1, 1], higher nearer.
    pub similarity: f32,
    /// The judge's score, in [−1, 2.6].
    pub score: f32,
    /// Whether the family rule accepts the pair.
    pub accepted: bool,
    /// The log's own id.
    pub exchange_id: String,
    /// Who sent it.
    pub account: AccountId,
    /// Its near-duplicate family, else its exact family, where it has one.
    pub family_id: Option<FamilyId>,
    /// The prompt as it came.
    pub prompt: String,
    /// When.
    pub time: Time,
    /// Exchanges with this prompt that pass the filters.
    pub requests: u64,
    /// Distinct accounts behind them.
    pub accounts: u64,
    /// The first of them.
    pub account_ids: Vec<AccountId>,
    /// Byte ranges of `prompt` that it shares with the query.
    pub shared: Vec<(usize, usize)>,
    /// Fragment families that both the prompt and the query hold.
    pub fragments: Vec<SharedFragment>,
}

/// A fragment family in a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedFragment {
    /// The family.
    pub family_id: FamilyId,
    /// First byte of it in the prompt.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

/// Hits of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hits {
    /// Version of this form.
    pub schema: u32,
    /// Score from which the family rule accepts texts as long as the query; for others it may be higher or lower.
    pub threshold: f32,
    /// Similarity first, then the order in which prompts first came.
    pub hits: Vec<SimilarHit>,
    /// Fragment families that the query holds, whether or not a hit does; the places are those in the query.
    pub fragments: Vec<SharedFragment>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// A family with its accounts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyPage {
    /// Version of this form.
    pub schema: u32,
    /// What a report says of it.
    pub family: Family,
    /// Accounts, most requests first: as many as were asked for.
    pub members: Vec<FamilyAccount>,
    /// How many more it has.
    pub members_left_out: u64,
    /// Rings that shared it.
    pub rings: Vec<RingOf>,
    /// Some exchanges, spread over its time.
    pub exchanges: Vec<FamilyExchange>,
}

/// An account in a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyAccount {
    /// Its pseudonym.
    pub account: AccountId,
    /// Its exchanges in the family.
    pub requests: u64,
    /// The earliest of them.
    pub first_seen: Time,
    /// The latest.
    pub last_seen: Time,
}

/// An exchange of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyExchange {
    /// The log's own id.
    pub exchange_id: String,
    /// Who sent it.
    pub account: AccountId,
    /// When.
    pub time: Time,
    /// The prompt as its text first came.
    pub prompt: String,
}

/// One exchange as the log had it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExchangePage {
    /// Version of this form.
    pub schema: u32,
    /// The log's own id.
    pub exchange_id: String,
    /// Who sent it.
    pub account: AccountId,
    /// When.
    pub time: Time,
    /// The model that was asked.
    pub model: Option<String>,
    /// The prompt as it came.
    pub prompt: String,
    /// The system prompt.
    pub system: Option<String>,
    /// What the model answered.
    pub response: Option<String>,
}

/// An account with its families.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountPage {
    /// Version of this form.
    pub schema: u32,
    /// Its pseudonym.
    pub account: AccountId,
    /// Its exchanges.
    pub requests: u64,
    /// Its distinct prompts.
    pub distinct_prompts: u64,
    /// The earliest exchange.
    pub first_seen: Time,
    /// The latest.
    pub last_seen: Time,
    /// Models it asked, most requests first.
    pub models: Vec<(String, u64)>,
    /// Its exchanges whose text is trivial; their families are not listed.
    pub trivial_requests: u64,
    /// Rings that it may belong to, each with the chance.
    pub rings: Vec<RingOf>,
    /// Families it shares with others, or repeats itself in, most accounts first.
    pub families: Vec<AccountFamily>,
    /// Of its texts that were sent more than once, by whomever, how many were first sent in each hour of the day, UTC, each counted once a day:
    /// 24 counts, or none where it has no such text.
    pub hours: Vec<u64>,
    /// Accounts that use most of the same families, of those that few accounts use.
    pub shares_with: Vec<Sharer>,
}

/// A family of an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountFamily {
    /// Its name.
    pub family_id: FamilyId,
    /// The account's exchanges in it.
    pub requests: u64,
    /// All accounts in it.
    pub accounts: u64,
    /// All exchanges in it.
    pub family_requests: u64,
    /// Its leader's text.
    pub prompt: String,
}

/// A prompt near a query, judged.
struct Judged {
    hit: Hit,
    score: f32,
    accepted: bool,
}

/// Exchanges shown with a family, and families with an account.
const SHOWN: usize = 50;

impl<'a> Opened<'a> {
    /// Maps the files of a store.
    /// # Errors
    /// `Store` when it is damaged, or was made with another model.
    pub fn open(store: Store, model: &'a Model, config: &AuditConfig) -> Result<Self> {
        crate::stored::check_identity(&store, None, model)?;
        let view = View::open(&store)?;
        let whole = segments(&store, "whole")?;
        // The rule that the families were made with, where a night recorded it.
        let recorded: serde_json::Value =
            serde_json::from_str(&store.catalog().meta("rule")?.unwrap_or_default()).unwrap_or_default();
        let rule = match recorded_thresholds(&recorded).filter(|_| config.threshold.is_none()) {
            Some(thresholds) => rule_of(thresholds, view.n_prompts() as u64),
            None => rule(&calibration(&store)?, config, &totals::sum(&totals::of_nights(&store, &view)?).lengths),
        };
        Ok(Self {
            store,
            view,
            model,
            whole,
            rule,
            scanner: OnceLock::new(),
            ranking: Once::default(),
            candidates: Once::default(),
        })
    }

    /// The store that is open.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn ranking(&self) -> Result<Arc<Ranking>> {
        self.ranking.get(|| Ranking::new(&self.store, &self.view))
    }

    /// Families that a list shows, most accounts first. They are ranked when this is first asked, once for all lists.
    /// # Errors
    /// `Input` when an account or model that is asked for is not in the store; `Store` when it is damaged.
    pub fn families(&self, wanted: &ListQuery) -> Result<Vec<Family>> {
        self.ranking()?.list((&self.store, &self.view), wanted)
    }

    /// The report on the store as it is, without the counts of a run; `most` families are described, and fewer of those that are listed apart.
    /// # Errors
    /// `Store` when it is damaged.
    pub fn report(&self, config: &AuditConfig, most: usize) -> Result<Report> {
        report_of((&self.store, &self.view), &*self.ranking()?, &Counts::default(), (config, most))
    }

    /// Families that may belong into the registry, as [`suggest`](super::suggest) says them; looked for once.
    /// # Errors
    /// `Store` when the store is damaged.
    pub fn suggest(&self) -> Result<Arc<Vec<Candidate>>> {
        self.candidates.get(|| suggest_of((&self.store, &self.view), &*self.ranking()?))
    }

    /// Prompts similar to a text.
    /// # Errors
    /// `Input` when an account, model or family of the filters is not in the store.
    pub fn similar(&self, query: &SimilarQuery) -> Result<Hits> {
        let account = query.account.map(|account| self.account_number(account)).transpose()?;
        let filter = Filter::new(&self.store, &self.view, query, account)?;
        let folded = text::fold(&query.text).text;
        let mut notes = Vec::new();
        let hits = match self.model.vector(&folded) {
            Some(vector) => self.search(&view::one(&vector), query.k, &filter),
            None => {
                notes.push("The model knows no piece of this text; only exact copies of it can be found.".into());
                self.exact(&folded, &filter)
            }
        };
        let mut grams = Grams::new();
        grams.set(&folded);
        let mut text = String::new();
        let judged = hits.into_iter().map(|hit| {
            self.view.folded(hit.id, &mut text);
            let score = score(hit.similarity, grams.overlap(&text));
            let accepted = self.rule.accepts(hit.similarity, score, (folded.len(), text.len()));
            Judged { hit, score, accepted }
        });
        let judged: Vec<Judged> = judged.filter(|judged| query.k > 0 || judged.accepted).collect();
        let scanner = self.scanner()?;
        let fragments = self.fragments_of(scanner, &query.text);
        let hits = self.show(&judged, query, &filter, (scanner, &fragments))?;
        let threshold = self.rule.threshold(folded.len(), folded.len());
        Ok(Hits { schema: 1, threshold, hits, fragments, notes })
    }

    /// All fragments of prompts; those of other fields are in it too, so that numbers agree.
    fn scanner(&self) -> Result<&Scanner> {
        if let Some(scanner) = self.scanner.get() {
            return Ok(scanner);
        }
        let query = "SELECT CASE field WHEN ?1 THEN text ELSE '' END FROM fragments ORDER BY fragment";
        let runs: Vec<String> = self.store.catalog().all(query, [Field::Prompt.number()], |row| row.get(0))?;
        let printer = crate::stored::fragment::printer(&self.view.naming_key);
        Ok(self.scanner.get_or_init(|| Scanner::new(&printer, runs.iter().map(String::as_str))))
    }

    /// The fragment families that a raw text holds, each once, in order of place.
    fn fragments_of(&self, scanner: &Scanner, raw: &str) -> Vec<SharedFragment> {
        let aligned = text::fold_aligned(raw);
        let mut found: Vec<(u32, SharedFragment)> = scanner
            .scan(&aligned.text)
            .into_iter()
            .map(|found| {
                let head = self.view.fragments[found.run as usize].head;
                let range = aligned.raw_range(found.first as usize..found.end as usize);
                let family_id = self.view.fragments[head as usize].id();
                (head, SharedFragment { family_id, start: range.start, end: range.end })
            })
            .collect();
        found.sort_by_key(|(head, shared)| (*head, shared.start));
        found.dedup_by_key(|(head, _)| *head);
        found.sort_by_key(|(head, shared)| (shared.start, *head));
        found.into_iter().map(|(_, shared)| shared).collect()
    }

    /// The nearest `k` prompts, or all that the rule may accept.
    fn search(&self, vector: &Vectors, k: usize, filter: &Filter<'_>) -> Vec<Hit> {
        let (floor, cap) = if k == 0 { (self.rule.least_similarity(), MOST_ACCEPTED) } else { (-1.0, k) };
        let ask = Ask { probes: PROBES, active_only: false, floor, cap };
        index::search(&self.whole, vector, &ask, &|prompt| filter.keeps(prompt))
    }

    /// The prompt with exactly this folded text.
    fn exact(&self, folded: &str, filter: &Filter<'_>) -> Vec<Hit> {
        let wanted = Digest::of(folded.as_bytes());
        let find = || -> Result<Option<u32>> {
            let keys = view::KnownKeys::open(&self.store)?;
            Ok(keys.prompts.get(wanted.short()).map(|record| record.a as u32))
        };
        let prompt = find().ok().flatten().filter(|&prompt| filter.keeps(prompt));
        prompt.map(|id| Hit { id, similarity: 1.0 }).into_iter().collect()
    }

    fn show(
        &self,
        judged: &[Judged],
        query: &SimilarQuery,
        filter: &Filter<'_>,
        (scanner, fragments): (&Scanner, &[SharedFragment]),
    ) -> Result<Vec<SimilarHit>> {
        let postings: Vec<Vec<(usize, &Posting)>> = judged
            .iter()
            .map(|Judged { hit, .. }| {
                let mut all: Vec<(usize, &Posting)> =
                    self.view.postings_of(hit.id).filter(|(night, posting)| filter.passes(*night, posting)).collect();
                all.sort_by_key(|(night, posting)| (posting.time, *night, posting.row));
                all
            })
            .collect();
        let firsts: Vec<(u16, u32)> =
            postings.iter().map(|all| all.first().map_or((0, 0), |(night, p)| (*night as u16, p.row))).collect();
        let ids = exchange_ids(&self.store, &firsts)?;
        let mut hits = Vec::with_capacity(judged.len());
        for ((judged, all), exchange_id) in judged.iter().zip(&postings).zip(ids) {
            let hit = judged.hit;
            let Some((_, first)) = all.first() else { continue };
            let mut accounts: Vec<u32> = Vec::new();
            let mut seen = std::collections::HashSet::new();
            for (_, posting) in all {
                if seen.insert(posting.account) && accounts.len() < MOST_ACCOUNTS {
                    accounts.push(posting.account);
                }
            }
            let prompt = self.view.text(hit.id).0;
            let shared = template::shared_ranges(&query.text, prompt);
            hits.push(SimilarHit {
                similarity: hit.similarity,
                score: judged.score,
                accepted: judged.accepted,
                exchange_id,
                account: self.account_id(first.account)?,
                family_id: self.family_of(hit.id),
                prompt: prompt.to_owned(),
                time: moment(first.time),
                requests: all.len() as u64,
                accounts: seen.len() as u64,
                account_ids: accounts.iter().map(|&account| self.account_id(account)).collect::<Result<_>>()?,
                shared: shared.into_iter().map(|range| (range.start, range.end)).collect(),
                fragments: self.shared_fragments(scanner, fragments, prompt),
            });
        }
        Ok(hits)
    }

    /// Those of the query's fragments that a prompt holds too.
    fn shared_fragments(&self, scanner: &Scanner, of_query: &[SharedFragment], prompt: &str) -> Vec<SharedFragment> {
        if of_query.is_empty() {
            return Vec::new();
        }
        let mut own = self.fragments_of(scanner, prompt);
        own.retain(|shared| of_query.iter().any(|other| other.family_id == shared.family_id));
        own
    }

    fn family_of(&self, prompt: u32) -> Option<FamilyId> {
        let repeated = self.view.postings_of(prompt).nth(1).is_some();
        let family = self.view.family(prompt);
        // Forgetting may leave one exchange of a family, which is none then.
        let several = || self.view.members(family).len() > 1;
        if family != SINGLE && (repeated || several()) {
            return Some(self.view.family_id(Level::NearDuplicate, self.view.near_leader(prompt)));
        }
        repeated.then(|| self.view.family_id(Level::Exact, prompt))
    }

    fn account_id(&self, number: u32) -> Result<AccountId> {
        let found = self
            .store
            .catalog()
            .all("SELECT id FROM accounts WHERE account = ?1", [number], |row| row.get::<_, String>(0))?;
        let missing = || Error::new(ErrorKind::Store, format!("catalog: expected the account {number}, found none"));
        found.first().and_then(|id| id.parse().ok()).ok_or_else(missing)
    }

    pub(super) fn account_number(&self, account: AccountId) -> Result<u32> {
        let query = "SELECT account FROM accounts WHERE id = ?1";
        let found = self.store.catalog().all(query, [account.to_string()], |row| row.get(0))?;
        found.first().copied().ok_or_else(|| {
            Error::new(ErrorKind::Input, format!("expected an account of the store, got {account}"))
                .hint("an account is given by its pseudonym, or by its own name together with the key")
        })
    }

    /// The prompt of the exchange with this id of the log.
    /// # Errors
    /// `Input` when the store has no such exchange.
    pub fn prompt_of(&self, exchange_id: &str) -> Result<String> {
        self.exchange(exchange_id).map(|page| page.prompt)
    }

    /// The exchange with this id of the log, as it came.
    /// # Errors
    /// `Input` when the store has no such exchange.
    pub fn exchange(&self, exchange_id: &str) -> Result<ExchangePage> {
        use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
        let keys = view::KnownKeys::open(&self.store)?;
        let record = keys.ids.get(Digest::of(exchange_id.as_bytes()).short()).ok_or_else(|| {
            Error::new(ErrorKind::Input, format!("expected the id of an exchange of the store, got {exchange_id:?}"))
        })?;
        let (night, row) = ((record.b >> 32) as u32, record.b as u32);
        let files = self.store.nights().iter().zip(self.store.of_kind("rows"));
        for (_, file) in files.filter(|(known, _)| known.night == night) {
            let columns = ["account", "time", "model", "prompt_text", "system_text", "response"];
            if let Some(batch) = self.store.rows(file, &columns, &[row])?.next() {
                let batch = batch?;
                let text = |name: &str| {
                    let column = batch.column_by_name(name)?.as_string::<i32>();
                    column.is_valid(0).then(|| column.value(0).to_owned())
                };
                let column = |name: &str| {
                    batch
                        .column_by_name(name)
                        .ok_or_else(|| Error::new(ErrorKind::Store, format!("{}: no column {name}", file.name)))
                };
                return Ok(ExchangePage {
                    schema: 1,
                    exchange_id: exchange_id.to_owned(),
                    account: self.account_id(column("account")?.as_primitive::<UInt32Type>().value(0))?,
                    time: moment(column("time")?.as_primitive::<TimestampMicrosecondType>().value(0)),
                    model: text("model"),
                    prompt: text("prompt_text").unwrap_or_default(),
                    system: text("system_text"),
                    response: text("response"),
                });
            }
        }
        Err(Error::new(ErrorKind::Store, format!("night {night} has no row {row}")).hint("run: stillhunt store verify"))
    }

    /// A family with its first accounts, `most` of them.
    /// # Errors
    /// `Input` when the store has no family of this name.
    pub fn family(&self, id: FamilyId, most: usize) -> Result<FamilyPage> {
        let One { family, accounts, rows: members } =
            one(&self.store, &self.view, id)?.ok_or_else(|| unknown_family(id))?;
        let (listed, members_left_out) = self.listed(accounts, None, most)?;
        let step = members.len().div_ceil(SHOWN).max(1);
        let shown: Vec<_> = members.iter().step_by(step).collect();
        let ids = exchange_ids(&self.store, &shown.iter().map(|m| (m.night, m.posting.row)).collect::<Vec<_>>())?;
        let exchanges = shown
            .iter()
            .zip(ids)
            .map(|(member, exchange_id)| {
                Ok(FamilyExchange {
                    exchange_id,
                    account: self.account_id(member.posting.account)?,
                    time: moment(member.posting.time),
                    prompt: self.member_text(&family, &member.posting).to_owned(),
                })
            })
            .collect::<Result<_>>()?;
        let rings = rings_of_family(&self.store, family.id)?;
        Ok(FamilyPage { schema: 1, family, members: listed, members_left_out, rings, exchanges })
    }

    /// Accounts of a family, most requests first: `most` of those behind an account of it, or of all; and how many come after them.
    /// # Errors
    /// `Input` when the store has no family of this name, or the family no such account.
    pub fn family_accounts(
        &self,
        id: FamilyId,
        after: Option<AccountId>,
        most: usize,
    ) -> Result<(Vec<FamilyAccount>, u64)> {
        let (_, accounts) = standing_of(&self.store, &self.view, id)?.ok_or_else(|| unknown_family(id))?;
        self.listed(accounts, after, most)
    }

    /// The same of accounts by number. Names are looked up only of those that are listed.
    fn listed(&self, accounts: Accounts, after: Option<AccountId>, most: usize) -> Result<(Vec<FamilyAccount>, u64)> {
        let mut order: Vec<(u32, (u64, i64, i64))> = accounts.into_iter().collect();
        order.sort_by_key(|&(account, (requests, first, _))| (Reverse(requests), first, account));
        let from = match after {
            None => 0,
            Some(after) => {
                let number = self.account_number(after)?;
                let at = order.iter().position(|&(account, _)| account == number);
                let unknown = || {
                    Error::new(ErrorKind::Input, format!("expected an account of the family, got {after}"))
                        .hint("begin the list anew: the family may have changed")
                };
                1 + at.ok_or_else(unknown)?
            }
        };
        let left_out = order.len().saturating_sub(from.saturating_add(most)) as u64;
        let of_one = |&(account, (requests, first, last)): &(u32, (u64, i64, i64))| {
            let account = self.account_id(account)?;
            Ok(FamilyAccount { account, requests, first_seen: moment(first), last_seen: moment(last) })
        };
        let listed = order[from..].iter().take(most).map(of_one).collect::<Result<_>>()?;
        Ok((listed, left_out))
    }

    /// The text by which an exchange is a member: its prompt, or the turn or system prompt that holds the fragment.
    fn member_text(&self, family: &Family, posting: &Posting) -> &str {
        match family.fragment.as_ref().map(|fragment| fragment.field) {
            Some(Field::System) => self.view.field_text(Field::System, posting.system).0,
            Some(Field::Turn) => self.view.field_text(Field::Turn, posting.prompt).0,
            _ => self.view.text(posting.prompt).0,
        }
    }

    /// An account with its families.
    /// # Errors
    /// `Input` when the store has no such account.
    pub fn account(&self, account: AccountId) -> Result<AccountPage> {
        let number = self.account_number(account)?;
        let standings = Standings::open(&self.store, &self.view)?;
        let OfOne { requests, activity, starts } = OfOne::new(&self.store, &self.view, &standings, number)?;
        let (Some(first), Some(last)) =
            (activity.iter().map(|of| of.first).min(), activity.iter().map(|of| of.last).max())
        else {
            return Err(Error::new(ErrorKind::Store, format!("the account {account} has no exchanges")));
        };
        let sum = |of: fn(&Activity) -> u32| activity.iter().map(|activity| u64::from(of(activity))).sum::<u64>();
        let names: Vec<String> =
            self.store.catalog().all("SELECT name FROM models ORDER BY model", [], |row| row.get(0))?;
        let mut by_model: BTreeMap<u32, u64> = BTreeMap::new();
        for of in activity.iter().filter(|of| of.model != NONE) {
            *by_model.entry(of.model).or_default() += u64::from(of.requests);
        }
        let name = |model: u32| names.get(model as usize).cloned().unwrap_or_default();
        let mut models: Vec<(String, u64)> = by_model.into_iter().map(|(model, n)| (name(model), n)).collect();
        models.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        // Its families: near-duplicates, or the prompt itself where it resembles nothing else, and fragments of what users write.
        let is_listed = |head: &Head| match level_of(head.family) {
            _ if head.requests < 2 => false,
            (Level::System, _) => false,
            (Level::Fragment, number) => self.view.fragments[number as usize].field() != Field::System,
            (Level::NearDuplicate, _) => true,
            (Level::Exact, prompt) => {
                let near = Some(self.view.family(prompt)).filter(|&family| family != SINGLE);
                let near = near.and_then(|family| standings.head(family_key(Level::NearDuplicate, family)));
                head.trivial == 0 && near.is_none()
            }
        };
        let with_head = |(family, requests): (u64, u64)| Some((*standings.head(family)?, requests));
        let mut heads: Vec<(Head, u64)> =
            requests.into_iter().filter_map(with_head).filter(|(head, _)| is_listed(head)).collect();
        let id = |head: &Head| FamilyId { level: level_of(head.family).0, lead: head.id };
        heads.sort_by(|(a, own), (b, other)| b.accounts.cmp(&a.accounts).then(other.cmp(own)).then(id(a).cmp(&id(b))));
        let shares_with = sharers(&self.store, number, heads.iter().map(|(head, _)| head))?
            .into_iter()
            .map(|(account, families)| Ok(Sharer { account: self.account_id(account)?, families }))
            .collect::<Result<_>>()?;
        heads.truncate(SHOWN);
        let family = |(head, requests): (Head, u64)| {
            let prompt = match level_of(head.family) {
                (Level::Fragment, head) => template_of(&self.view, head).text(),
                (Level::NearDuplicate, number) => {
                    self.view.text(self.view.families[number as usize].leader).0.to_owned()
                }
                (_, prompt) => self.view.text(prompt).0.to_owned(),
            };
            let Head { accounts, requests: family_requests, .. } = head;
            AccountFamily { family_id: id(&head), requests, accounts, family_requests, prompt }
        };
        Ok(AccountPage {
            schema: 1,
            account,
            rings: rings_of_account(&self.store, account)?,
            requests: sum(|of| of.requests),
            distinct_prompts: sum(|of| of.prompts),
            first_seen: moment(first),
            last_seen: moment(last),
            models,
            trivial_requests: sum(|of| of.trivial),
            families: heads.into_iter().map(family).collect(),
            hours: hours(&starts),
            shares_with,
        })
    }

    /// The judge over stored texts, for measurements.
    #[must_use]
    pub fn material(&self) -> impl crate::family::judge::Material + '_ {
        Stored { view: &self.view, again: view::Again::new(self.model, &self.whole) }
    }
}

fn moment(micros: i64) -> Time {
    Time::new(micros).unwrap_or_else(|| Time::new(0).expect("the epoch is a time"))
}
