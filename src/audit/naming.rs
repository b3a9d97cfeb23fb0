//! Names a night's new runs: which are families, which parts of one, and which lie within a more common one.
//!
//! A night pays for its own runs, however many are known: known heads are asked for what a new run may have in common with them and no
//! more, and how common one is stands in its facts. A part of a family counts from the night that found it, and a new family with the
//! texts of the trailing nights. So a run that many accounts sent tonight is held against heads by tonight's texts alone, and older ones are read only for what is
//! no part: most of what is common is a variant of something known. Weakness: two known runs are compared when the younger of them is
//! found, and not again when one of them grows.

use super::printed::Printed;
use crate::family::fragment::{Holders, Holding, SLOT, Scanner, gather, is_spread, nearest_wider, pieces};
use crate::ids::{Digest, FamilyId, Field, Level};
use crate::store::members::{Holder, Member};
use crate::store::sorted::equal;
use crate::stored::fragment::Fragment;
use crate::stored::view::View;
use crate::text::winnow::Printer;
use rayon::prelude::*;
use std::collections::HashSet;

/// The runs that a night's texts are read for: known ones in front, then those that it grew.
pub(crate) struct Runs<'a> {
    pub(crate) n_known: usize,
    pub(crate) numbers: Vec<u32>,
    pub(crate) texts: Vec<&'a str>,
}

/// Accounts of tonight from which on tonight's texts say whether a run is a part.
const TELLING: usize = 50;

/// Who holds which run since tonight; new runs are numbered as they were grown, whether they are kept or not.
pub(crate) struct Held<'a> {
    view: &'a View,
    printed: &'a Printed,
    /// Names the near-duplicate family of a text.
    of_group: &'a (dyn Fn(u32) -> u32 + Sync),
    /// Number of the first new run.
    first: u32,
    /// By fragment, and by text.
    members: Vec<Member>,
    holders: Vec<Holder>,
    /// Whether the texts of earlier nights are looked at.
    with_earlier: bool,
}

/// Runs with their names.
pub(crate) struct Named {
    /// (number, fragment) of new ones.
    pub(crate) new: Vec<(u32, Fragment)>,
    /// (fragment, head) of known ones that lie within another head since tonight.
    pub(crate) within: Vec<(u32, u32)>,
    /// Who holds them, by fragment and by text.
    pub(crate) members: Vec<Member>,
    pub(crate) holders: Vec<Holder>,
}

impl<'a> Held<'a> {
    pub(crate) fn new(
        (view, printed, of_group): (&'a View, &'a Printed, &'a (dyn Fn(u32) -> u32 + Sync)),
        first: u32,
        members: Vec<Member>,
    ) -> Self {
        let mut held =
            Self { view, printed, of_group, first, members: Vec::new(), holders: Vec::new(), with_earlier: false };
        held.add(members);
        held
    }

    pub(crate) fn add(&mut self, members: Vec<Member>) {
        if self.members.is_empty() {
            self.members = members
        } else {
            self.members.extend(members)
        }
        self.members.par_sort_unstable();
        self.keep_holders();
    }

    fn keep_holders(&mut self) {
        self.holders = self.members.iter().map(Holder::of).collect();
        self.holders.par_sort_unstable();
    }

    fn of(&self, number: u32) -> &[Member] {
        equal(&self.members, |member| member.fragment.cmp(&number))
    }

    fn holding(&self, number: u32) -> Holding {
        let texts: Vec<u32> = self.of(number).iter().map(|member| member.text).collect();
        let accounts = self.printed.accounts.of_all(texts.iter().copied());
        Holding { head: None, texts, accounts }
    }

    /// Whether a run is more than a part of one near-duplicate family, and of enough accounts.
    fn is_varied(&self, number: u32) -> bool {
        let accounts_of = &self.printed.accounts;
        let accounts = accounts_of.of_all(self.of(number).iter().map(|member| member.text)).len();
        if accounts < self.printed.least_accounts as usize {
            return false;
        }
        let of = |member: &Member| {
            let group = (self.of_group)(member.text);
            accounts_of.of(member.text).iter().map(move |&account| (group, account))
        };
        is_spread(&mut self.of(number).iter().flat_map(of).collect(), accounts)
    }

    /// The head of each new run that tonight's texts tell is a part.
    pub(crate) fn parts(&self, runs: &Runs<'_>) -> Vec<Option<u32>> {
        let new = &runs.numbers[runs.n_known..];
        let telling = |&number: &u32| {
            Some(self.holding(number)).filter(|holding| holding.accounts.len() >= TELLING).unwrap_or_default()
        };
        let holdings: Vec<Holding> = new.par_iter().map(telling).collect();
        let heads = gather(&holdings, self.first, self);
        new.iter()
            .zip(heads)
            .map(|(&number, head)| Some(head).filter(|&head| head != number && self.is_varied(number)))
            .collect()
    }

    /// Names the new ones of `runs`, of which `parts` tells the heads that are decided; `n_accounts` counts the accounts of a known head.
    pub(crate) fn named(
        mut self,
        runs: &Runs<'_>,
        parts: &[Option<u32>],
        printer: &Printer,
        n_accounts: &dyn Fn(u32) -> u64,
    ) -> Named {
        let first = self.first;
        let new = &runs.numbers[runs.n_known..];
        let kept: Vec<bool> = new.par_iter().map(|&number| self.is_varied(number)).collect();
        let is_kept = |number: u32| number.checked_sub(first).is_none_or(|i| kept[i as usize]);
        self.members.retain(|member| is_kept(member.fragment));
        self.keep_holders();
        let holding = |(&number, &head): (&u32, &Option<u32>)| {
            let head = if is_kept(number) { head.filter(|&head| is_kept(head)) } else { Some(number) };
            Holding { head, ..self.holding(number) }
        };
        let holdings: Vec<Holding> = new.par_iter().zip(parts).map(holding).collect();
        self.with_earlier = true;
        let heads = gather(&holdings, first, &self);
        let accounts = holdings.iter().map(|holding| holding.accounts.len() as u64).collect();
        let named = Heads { view: self.view, first, heads, accounts, n_accounts };
        // What is not kept leaves no gap in the numbers.
        let mut next = first;
        let mut renumbered = Vec::with_capacity(kept.len());
        for &is_kept in &kept {
            renumbered.push(next);
            next += u32::from(is_kept);
        }
        let number_of = |number: u32| number.checked_sub(first).map_or(number, |i| renumbered[i as usize]);
        let places: Vec<usize> = (0..runs.texts.len()).filter(|&i| is_kept(runs.numbers[i])).collect();
        let field = self.printed.field;
        let all = Whole::new(runs, places.clone(), printer);
        let new = places.iter().filter(|&&place| place >= runs.n_known).map(|&place| {
            let (number, text) = (runs.numbers[place], runs.texts[place].to_owned());
            let within = named.within(number, all.held_by(place), None).map(number_of);
            let id = name(&self.view.naming_key, field, &text);
            let head = number_of(named.head_of(number));
            (number_of(number), Fragment { id, field, text, head, within, known: None })
        });
        let new: Vec<(u32, Fragment)> = new.collect();
        let grown = Whole::new(runs, places.into_iter().filter(|&place| place >= runs.n_known).collect(), printer);
        let is_wider = |place: usize| {
            let number = runs.numbers[place];
            let before = self.view.fragments[number as usize].within();
            let now = named.within(number, grown.held_by(place), before).filter(|&now| Some(now) != before)?;
            Some((number, number_of(now)))
        };
        let within = (0..runs.n_known).filter_map(is_wider).collect();
        // A part counts from tonight on.
        let counts = |m: &Member| m.text >= self.printed.first_new || named.head_of(m.fragment) == m.fragment;
        self.members.retain(counts);
        self.members.iter_mut().for_each(|member| member.fragment = number_of(member.fragment));
        self.keep_holders();
        Named { new, within, members: self.members, holders: self.holders }
    }
}

/// Who leads whom, once it is decided.
struct Heads<'a> {
    view: &'a View,
    first: u32,
    /// Of each new run, and how many accounts it has.
    heads: Vec<u32>,
    accounts: Vec<u64>,
    n_accounts: &'a dyn Fn(u32) -> u64,
}

impl Heads<'_> {
    fn head_of(&self, number: u32) -> u32 {
        match number.checked_sub(self.first) {
            Some(i) => self.heads[i as usize],
            None => self.view.fragments[number as usize].head,
        }
    }

    /// The head that a run lies within, of those of the runs that its text holds, and the one `before`.
    fn within(&self, number: u32, held: impl Iterator<Item = u32>, before: Option<u32>) -> Option<u32> {
        let own = self.head_of(number);
        let n_accounts = |number: u32| match number.checked_sub(self.first) {
            Some(i) => self.accounts[i as usize],
            None => (self.n_accounts)(self.head_of(number)),
        };
        let mut held = held.map(|inner| self.head_of(inner)).filter(|&head| head != own).peekable();
        held.peek()?;
        nearest_wider(n_accounts(number), held.chain(before).map(|head| (head, n_accounts(head))))
    }
}

/// Some of the runs, to be looked for in others.
struct Whole<'a> {
    runs: &'a Runs<'a>,
    places: Vec<usize>,
    scanner: Scanner,
}

impl<'a> Whole<'a> {
    fn new(runs: &'a Runs<'a>, places: Vec<usize>, printer: &Printer) -> Self {
        let scanner = Scanner::new(printer, places.iter().map(|&place| runs.texts[place]));
        Self { runs, places, scanner }
    }

    /// Those that the text of a run holds whole, by number.
    fn held_by(&self, place: usize) -> impl Iterator<Item = u32> {
        let found = self.scanner.scan(&self.runs.texts[place].replace(SLOT, " "));
        found.into_iter().filter_map(move |f| {
            let inner = self.places[f.run as usize];
            let fixed: usize = pieces(self.runs.texts[inner]).map(str::len).sum();
            (inner != place && f.held as usize >= fixed.saturating_sub(4)).then_some(self.runs.numbers[inner])
        })
    }
}

impl Holders for Held<'_> {
    fn of_text(&self, text: u32) -> Vec<u32> {
        let is_led = |&number: &u32| self.view.fragments.get(number as usize).is_some_and(|of| of.head != number);
        let mut out: Vec<u32> =
            equal(&self.holders, |holder| holder.text.cmp(&text)).iter().map(|h| h.fragment).collect();
        if self.with_earlier && text < self.printed.first_new {
            out.extend(self.view.fragments_of(self.printed.field, text));
        }
        out.retain(|number| !is_led(number));
        out
    }

    fn n_texts(&self, run: u32) -> usize {
        self.files(run).into_iter().map(<[_]>::len).sum()
    }

    fn n_shared(&self, run: u32, texts: &[u32]) -> usize {
        let files = self.files(run);
        let holds = |text: u32| files.iter().any(|of| !equal(of, |member| member.text.cmp(&text)).is_empty());
        texts.iter().filter(|&&text| holds(text)).count()
    }

    fn accounts(&self, run: u32, most: usize) -> Option<Vec<u32>> {
        let mut out: HashSet<u32> = HashSet::new();
        for members in self.files(run).into_iter().rev() {
            // Of texts before the trailing nights nobody's accounts are counted.
            for member in members.iter().rev().take_while(|member| member.text >= self.printed.first_older) {
                out.extend(self.printed.accounts.of(member.text));
                if out.len() > most {
                    return None;
                }
            }
        }
        let mut out: Vec<u32> = out.into_iter().collect();
        out.sort_unstable();
        Some(out)
    }
}

impl Held<'_> {
    /// The members of a run, as earlier nights found them if they are looked at, and as tonight did.
    fn files(&self, run: u32) -> Vec<&[Member]> {
        let mut files = if self.with_earlier { self.view.members_by_file(run) } else { Vec::new() };
        files.push(self.of(run));
        files
    }
}

/// The name of the family that this run heads.
fn name(naming_key: &[u8; 32], field: Field, text: &str) -> FamilyId {
    FamilyId::derive(naming_key, Level::Fragment, &Digest::of(format!("{}\n{text}", field.word()).as_bytes()))
}
