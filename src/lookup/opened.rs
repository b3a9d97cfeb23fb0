//! A store that is open for an investigator's look-ups, and the first of them: a text to similar prompts.
//!
//! The idea: whoever asks much opens once; pages of families and accounts are look-ups of the same opening. Weakness: the first search reads all
//! fragments. Guarantee: what is open is one snapshot.

use super::all_rings::AllRings;
use super::filter::{Filter, SimilarQuery};
use super::once::Once;
use super::ranking::{ListQuery, Ranking};
use super::registry::{Candidate, suggest_of};
use super::summary::report_of;
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::Scanner;
use crate::family::judge::{Rule, score};
use crate::family::template;
use crate::ids::{AccountId, Digest, FamilyId, Field, Level, Time};
use crate::index::{self, Ask, Hit, Probes, Segment, Vectors};
use crate::report::{Counts, Family, Report};
use crate::store::postings::Posting;
use crate::store::{Mapped, Store};
use crate::stored::known::SINGLE;
use crate::stored::rows::exchange_ids;
use crate::stored::view::{Stored, View, segments};
use crate::stored::{AuditConfig, calibration, recorded_thresholds, rule, rule_of, totals, view};
use crate::text::{self, Grams};
use serde::Serialize;
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
    rings: Once<AllRings>,
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

/// A prompt near a query, judged.
struct Judged {
    hit: Hit,
    score: f32,
    accepted: bool,
}

/// Exchanges shown with a family, and families with an account.
pub(super) const SHOWN: usize = 50;

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
            rings: Once::default(),
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

    /// All rings, described when this is first asked.
    /// # Errors
    /// `Store` when the store is damaged.
    pub fn rings(&self) -> Result<Arc<AllRings>> {
        self.rings.get(|| AllRings::of(&self.store))
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

    pub(super) fn account_id(&self, number: u32) -> Result<AccountId> {
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

    /// The judge over stored texts, for measurements.
    #[must_use]
    pub fn material(&self) -> impl crate::family::judge::Material + '_ {
        Stored { view: &self.view, again: view::Again::new(self.model, &self.whole) }
    }
}

pub(super) fn moment(micros: i64) -> Time {
    Time::new(micros).unwrap_or_else(|| Time::new(0).expect("the epoch is a time"))
}
