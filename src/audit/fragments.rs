//! A night's fragment families: fingerprints are counted, seeds grown, every new text read for runs, runs gathered.

use super::fields::{prints_kind, texts_kind};
use super::view::{View, folded_of};
use super::{AuditConfig, Progress, fields};
use crate::error::Result;
use crate::family::fragment::{
    self, AccountsOf, Gathered, Holding, KeptRuns, KnownTexts, Scanner, Scratch, Seed, TextPair,
    Texts as FragmentTexts, gather, grow, is_spread, pieces,
};
use crate::ids::{Digest, FamilyId, Field, Level};
use crate::store::members::{Holder, Member};
use crate::store::postings::Postings;
use crate::store::prints::{PrintRecord, Prints, of_hash};
use crate::store::sorted::{self, Sorted};
use crate::store::texts::Texts;
use crate::store::tiers::merge_older;
use crate::store::{Mapped, NewNight, Night, Store};
use crate::text::winnow::{GRAM, Printer};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The printer of a store: its secret is derived from the account key, as family names are.
pub(crate) fn printer(naming_key: &[u8; 32]) -> Printer {
    Printer::new(naming_key)
}

/// How fragments are looked for.
#[derive(Clone, Debug)]
pub struct FragmentConfig {
    /// Distinct accounts of a fragment family at least.
    pub least_accounts: u32,
    /// Nights that are looked at together, tonight included.
    pub nights: u32,
    /// Whether prompts that share fingerprints are candidates of the near-duplicate judge too; without it, only what the index finds.
    pub second_finder: bool,
    /// Known texts: (name of the source, its text), and digests of families.
    pub known: Vec<KnownSource>,
}

impl Default for FragmentConfig {
    fn default() -> Self {
        Self { least_accounts: 5, nights: 28, second_finder: true, known: Vec::new() }
    }
}

/// One innocent shared text, or the digest of a fragment family that is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSource {
    /// What it is called in reports.
    pub name: String,
    /// The text as it came, or the digest.
    pub what: KnownWhat,
}

/// How a known text is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownWhat {
    /// By its text.
    Text(String),
    /// By the digest that reports print.
    Digest(Digest),
}

/// The known texts of a configuration.
pub(crate) fn known_texts(config: &FragmentConfig, printer: &Printer) -> KnownTexts {
    let mut known = KnownTexts::new(printer);
    for source in &config.known {
        match &source.what {
            KnownWhat::Text(text) => known.add_text(&source.name, &crate::text::fold(text).text),
            KnownWhat::Digest(digest) => known.add_digest(&source.name, *digest),
        }
    }
    known
}

/// A fragment as the catalog has it. Only heads are families; the others are parts of their head.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) id: FamilyId,
    pub(crate) field: Field,
    /// Folded text, slots as [`crate::family::fragment::SLOT`].
    pub(crate) text: String,
    pub(crate) head: u32,
    /// The night that found it.
    pub(crate) night: u32,
    /// The more common head that its text lies within.
    pub(crate) within: Option<u32>,
    /// The known text that explains it.
    pub(crate) known: Option<String>,
}

impl Fragment {
    /// Whether only its number is left.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.text.is_empty()
    }

    /// The digest by which a known text may be given.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// What a night found.
pub(crate) struct NightFragments {
    /// (number, fragment) of the new ones.
    pub(crate) new: Vec<(u32, Fragment)>,
    /// (number, within, known) of all.
    pub(crate) all: Vec<(u32, Option<u32>, Option<String>)>,
    /// Fragments that were found and not kept.
    pub(crate) cut: u64,
    /// Files of earlier nights that went into new ones.
    pub(crate) merged_files: Vec<String>,
}

/// Fingerprints of a field over the trailing nights, with tonight's.
pub(crate) struct Printed {
    field: Field,
    tonight: Vec<Prints<Mapped>>,
    older: Vec<Prints<Mapped>>,
    /// The first text of the trailing nights.
    first_older: u32,
    accounts: AccountsOf,
    first_new: u32,
    least_accounts: u32,
    second_finder: bool,
}

impl Printed {
    /// Opens what the finished night wrote beside what the store has.
    pub(crate) fn open(
        field: Field,
        (store, view): (&Store, &View),
        night: &NewNight,
        numbers: (u32, u32),
        n_accounts: u32,
        config: &FragmentConfig,
    ) -> Result<Self> {
        let oldest = (night.night + 1).saturating_sub(config.nights.max(1));
        let kind = prints_kind(field);
        let open = |path: &std::path::Path| Prints::open(Mapped::open(path)?);
        let tonight = night.of_kind(kind).iter().map(|path| open(path)).collect::<Result<_>>()?;
        let trailing = store.of_kind(kind).filter(|file| file.night >= oldest);
        let older: Vec<Prints<Mapped>> = trailing.map(|file| store.read(file, Prints::open)).collect::<Result<_>>()?;
        // A merged file may reach back further.
        let first = |of: &Night| [of.first_prompt, of.first_system, of.first_turn][field as usize];
        let first_older = store.nights().iter().find(|of| of.night >= oldest).map_or(numbers.0, first);
        let n_texts = numbers.0 + numbers.1;
        let kind = if field == Field::Turn { "turn-postings" } else { "postings" };
        let own = night.of_kind(kind);
        let own: Vec<_> = own.iter().map(|path| Postings::open(Mapped::open(path)?)).collect::<Result<_>>()?;
        let trailing = store.nights().iter().zip(view.postings(field)).filter(|(known, _)| known.night >= oldest);
        let postings: Vec<&Postings<Mapped>> = trailing.map(|(_, postings)| postings).chain(&own).collect();
        let pairs = || {
            let all = postings.iter().flat_map(|postings| postings.all());
            // Who sent no system prompt has no number of one, which is none of the texts.
            all.map(|posting| (if field == Field::System { posting.system } else { posting.prompt }, posting.account))
        };
        let accounts = AccountsOf::new(pairs, n_texts as usize, n_accounts as usize);
        Ok(Self {
            field,
            tonight,
            older,
            first_older,
            accounts,
            first_new: numbers.0,
            least_accounts: config.least_accounts,
            second_finder: config.second_finder,
        })
    }

    /// Calls `take` with (new text, earlier text) pairs that share a fingerprint.
    pub(crate) fn pairs(&self, take: &mut dyn FnMut(&[TextPair])) {
        if !self.second_finder {
            return;
        }
        let (tonight, older) = (all(&self.tonight), all(&self.older));
        fragment::pairs(
            fragment::Printed { tonight: &tonight, older: &older, first: self.first_older },
            self.first_new,
            take,
        );
    }

    /// Fingerprints that enough accounts sent, in texts of several groups.
    fn seeds(&self, group: &(dyn Fn(u32) -> u32 + Sync), kept: &KeptRuns<'_>) -> Vec<Seed> {
        let (tonight, older) = (all(&self.tonight), all(&self.older));
        let printed = fragment::Printed { tonight: &tonight, older: &older, first: self.first_older };
        fragment::count(printed, &self.accounts, self.least_accounts, group, &|hash| kept.has(hash))
    }

    /// Marks older texts, of the trailing nights, that have a fingerprint of this run.
    fn older_holders(&self, printer: &Printer, run: &str, out: &mut [bool]) {
        let mut hashes: Vec<u64> = Vec::new();
        for piece in pieces(run) {
            printer.each_gram::<GRAM>(piece.as_bytes(), |hash, _| hashes.push(hash));
        }
        for older in &self.older {
            let holders = hashes.iter().flat_map(|&hash| of_hash(older.all(), hash));
            for record in holders.filter(|record| record.text >= self.first_older) {
                if let Some(is_holder) = out.get_mut(record.text as usize) {
                    *is_holder = true;
                }
            }
        }
    }
}

fn all(runs: &[Prints<Mapped>]) -> Vec<&[PrintRecord]> {
    runs.iter().map(Prints::all).collect()
}

/// Folded texts of a field: older ones from the store, tonight's from the file just written.
struct FieldTexts<'a> {
    view: &'a View,
    field: Field,
    first: u32,
    tonight: Texts<Mapped>,
}

impl FragmentTexts for FieldTexts<'_> {
    fn around(&self, text: u32, at: usize, reach: usize) -> (Cow<'_, str>, usize) {
        let stored = match text.checked_sub(self.first) {
            Some(i) => self.tonight.folded_around(i as usize, at, reach),
            None => self.view.folded_around(self.field, text, at, reach),
        };
        match stored {
            Some((part, from)) => (Cow::Borrowed(part), from),
            None => (self.folded(text), 0),
        }
    }

    fn folded(&self, text: u32) -> Cow<'_, str> {
        let stored = match text.checked_sub(self.first) {
            Some(i) => self.tonight.get(i as usize),
            None => self.view.field_text(self.field, text),
        };
        match stored {
            (_, Some(folded)) => Cow::Borrowed(folded),
            raw => {
                let mut out = String::new();
                folded_of(raw, &mut out);
                Cow::Owned(out)
            }
        }
    }
}

/// A run while it is not decided whether it is kept.
struct Run {
    text: String,
    /// Its number in the catalog, and its head.
    known: Option<(u32, u32)>,
    members: Vec<Member>,
}

/// Finds the fragment families of a finished night and writes who is in them. `near` names the near-duplicate family of a prompt.
pub(crate) fn find(
    (store, view): (&Store, &View),
    fields: [Printed; 3],
    near: &(dyn Fn(u32) -> u32 + Sync),
    config: &AuditConfig,
    night: &mut NewNight,
    progress: &dyn Progress,
) -> Result<NightFragments> {
    let printer = printer(&view.naming_key);
    let known = known_texts(&config.fragments, &printer);
    let mut found = NightFragments { new: Vec::new(), all: Vec::new(), cut: 0, merged_files: Vec::new() };
    let mut all: Vec<Member> = Vec::new();
    let mut next = view.fragments.len() as u32;
    for printed in fields {
        let field = printed.field;
        let tonight = Texts::open(Mapped::open(&night.path(&format!("{}.bin", texts_kind(field))))?)?;
        let texts = FieldTexts { view, field, first: printed.first_new, tonight };
        let of_group = |text: u32| if field == Field::Prompt { near(text) } else { text };
        progress.stage("runs", None);
        let mut runs = known_runs(view, field);
        let n_known = runs.len();
        let kept = KeptRuns::new(&printer, runs.iter().map(|run| run.text.as_str()).collect());
        let seeds = printed.seeds(&of_group, &kept);
        let (grown, cut) = grow(kept, &seeds, &texts);
        found.cut += cut;
        runs.extend(grown.into_iter().map(|text| Run { text, known: None, members: Vec::new() }));
        progress.stage("members", None);
        read_all(store, &mut runs, n_known, &printer, &printed, &texts);
        progress.stage("fragments", None);
        let mut place = 0;
        runs.retain(|run| {
            place += 1;
            place <= n_known || is_varied(run, &printed, &of_group)
        });
        let fragments = named(view, runs, n_known, &printer, &printed, &mut next);
        for (number, fragment, members, is_new) in fragments {
            all.extend(members.into_iter().map(|member| Member { fragment: number, ..member }));
            let explained = match known.is_empty() {
                true => fragment.known.clone(),
                false => known.explains(&fragment.text, &fragment.digest()).map(str::to_owned),
            };
            found.all.push((number, fragment.within, explained));
            if is_new {
                found.new.push((number, fragment));
            }
        }
    }
    let mut holders: Vec<Holder> = all.iter().map(Holder::of).collect();
    let written = |cause: std::io::Error| fields::written(&cause);
    sorted::write(&mut all, &mut night.create("members", "members.bin")?).map_err(written)?;
    sorted::write(&mut holders, &mut night.create("holders", "holders.bin")?).map_err(written)?;
    for field in Field::ALL {
        found.merged_files.extend(merge_older(store, night, prints_kind(field), Prints::open, sorted::merge)?);
    }
    found.merged_files.extend(merge_older(store, night, "members", Sorted::<_, Member>::open, sorted::merge)?);
    found.merged_files.extend(merge_older(store, night, "holders", Sorted::<_, Holder>::open, sorted::merge)?);
    Ok(found)
}

/// Runs of earlier nights, in order of number.
fn known_runs(view: &View, field: Field) -> Vec<Run> {
    let whole = |fragment: &Fragment| fragment.field == field && !fragment.is_forgotten();
    let numbered = (0u32..).zip(&view.fragments).filter(|(_, fragment)| whole(fragment));
    numbered
        .map(|(number, fragment)| Run {
            text: fragment.text.clone(),
            known: Some((number, fragment.head)),
            members: Vec::new(),
        })
        .collect()
}

/// Reads tonight's texts for all runs, and older ones that may hold a new run for those.
fn read_all(
    store: &Store,
    runs: &mut [Run],
    n_known: usize,
    printer: &Printer,
    printed: &Printed,
    texts: &FieldTexts<'_>,
) {
    let mut is_holder = vec![false; texts.first as usize];
    if !store.nights().is_empty() {
        runs[n_known..].iter().for_each(|run| printed.older_holders(printer, &run.text, &mut is_holder));
    }
    let older: Vec<u32> = (0..).zip(&is_holder).filter(|(_, is_holder)| **is_holder).map(|(text, _)| text).collect();
    drop(is_holder);
    let tonight: Vec<u32> = (texts.first..texts.first + texts.tonight.len() as u32).collect();
    for (list, from) in [(older, n_known), (tonight, 0)] {
        let scanner = Scanner::new(printer, runs[from..].iter().map(|run| run.text.as_str()));
        if scanner.is_empty() {
            continue;
        }
        let read = |scratch: &mut Scratch, &text: &u32| -> Vec<Member> {
            let folded = texts.folded(text);
            let length = u32::try_from(folded.len()).unwrap_or(u32::MAX);
            let found = scanner.scan_in(&folded, scratch).into_iter();
            found.map(|f| Member { fragment: f.run, text, first: f.first, end: f.end, held: f.held, length }).collect()
        };
        for part in list.chunks(1 << 14) {
            let members: Vec<Vec<Member>> = part.par_iter().map_init(Scratch::default, read).collect();
            for member in members.into_iter().flatten() {
                runs[from + member.fragment as usize].members.push(member);
            }
        }
    }
}

/// Whether a run is more than a part of one near-duplicate family, and of enough accounts.
fn is_varied(run: &Run, printed: &Printed, of_group: &dyn Fn(u32) -> u32) -> bool {
    let accounts = printed.accounts.of_all(run.members.iter().map(|member| member.text)).len();
    if accounts < printed.least_accounts as usize {
        return false;
    }
    let of = |member: &Member| {
        let group = of_group(member.text);
        printed.accounts.of(member.text).iter().map(move |&account| (group, account))
    };
    is_spread(&mut run.members.iter().flat_map(of).collect(), accounts)
}

/// Names the runs: which are families, which parts of one, which lie within another. In order of number.
fn named(
    view: &View,
    runs: Vec<Run>,
    n_known: usize,
    printer: &Printer,
    printed: &Printed,
    next: &mut u32,
) -> Vec<(u32, Fragment, Vec<Member>, bool)> {
    let scanner = Scanner::new(printer, runs.iter().map(|run| run.text.as_str()));
    let position: BTreeMap<u32, u32> = (0u32..).zip(&runs).filter_map(|(i, run)| Some((run.known?.0, i))).collect();
    let holdings: Vec<Holding> = runs
        .par_iter()
        .enumerate()
        .map(|(i, run)| {
            let mut texts = run.known.map_or_else(Vec::new, |(number, _)| view.fragment_texts(number));
            texts.extend(run.members.iter().map(|member| member.text));
            texts.sort();
            texts.dedup();
            let accounts = printed.accounts.of_all(texts.iter().copied());
            let own = run.text.replace(crate::family::fragment::SLOT, " ");
            let whole = |inner: u32| {
                let fixed: usize = pieces(&runs[inner as usize].text).map(str::len).sum();
                fixed.saturating_sub(4)
            };
            let holds =
                scanner.scan(&own).into_iter().filter(|f| f.run as usize != i && f.held as usize >= whole(f.run));
            let holds = holds.map(|f| f.run).collect();
            let head = run.known.and_then(|(_, head)| position.get(&head).copied());
            Holding { texts, accounts, head, holds }
        })
        .collect();
    let gathered: Vec<Gathered> = gather(&holdings);
    let numbers: Vec<u32> = (0..runs.len())
        .map(|i| runs[i].known.map_or_else(|| *next + (i - n_known) as u32, |(number, _)| number))
        .collect();
    *next += (runs.len() - n_known) as u32;
    let at = |position: u32| numbers[position as usize];
    runs.into_iter()
        .zip(gathered)
        .enumerate()
        .map(|(i, (run, place))| {
            let fragment = match run.known {
                Some((number, _)) => {
                    let before = &view.fragments[number as usize];
                    Fragment { within: place.within.map(at), ..before.clone() }
                }
                None => Fragment {
                    id: name(&view.naming_key, printed.field, &run.text),
                    field: printed.field,
                    text: run.text,
                    head: at(place.head),
                    night: 0,
                    within: place.within.map(at),
                    known: None,
                },
            };
            (numbers[i], fragment, run.members, run.known.is_none())
        })
        .collect()
}

/// The name of the family that this run heads.
fn name(naming_key: &[u8; 32], field: Field, text: &str) -> FamilyId {
    FamilyId::derive(naming_key, Level::Fragment, &Digest::of(format!("{}\n{text}", field.word()).as_bytes()))
}
