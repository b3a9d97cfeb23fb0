//! A night's fragment families: fingerprints are counted, seeds grown, every new text read for runs, runs gathered.

use super::naming::{Held, Runs};
use super::printed::{Printed, all, oldest_night};
use crate::error::Result;
use crate::family::fragment::{self, KeptRuns, KnownTexts, Scanner, Scratch, Texts as FragmentTexts, grow, wake};
use crate::ids::{Digest, Field};
use crate::store::facts::Head;
use crate::store::members::{Holder, Member};
use crate::store::prints::Prints;
use crate::store::sorted::{self, Sorted};
use crate::store::texts::Texts;
use crate::store::tiers::merge_older;
use crate::store::{Mapped, NewNight, Store};
use crate::stored::fields::{prints_kind, texts_kind};
use crate::stored::fragment::{self as stored_fragment, Fragment, printer};
use crate::stored::view::{View, folded_of};
use crate::stored::{AuditConfig, FragmentConfig, KnownWhat, Progress, fields};
use crate::text::winnow::Printer;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;

/// The known texts of a configuration.
pub(crate) fn known_texts(config: &FragmentConfig, printer: &Printer) -> KnownTexts {
    let mut known = KnownTexts::new(printer);
    for source in &config.known {
        match &source.what {
            KnownWhat::Text(text) => {
                let folded = crate::text::fold(text).text;
                // A text too short for grams is known as a whole.
                known.add_digest(&source.name, Digest::of(folded.as_bytes()));
                known.add_text(&source.name, &folded);
            }
            KnownWhat::Digest(digest) => known.add_digest(&source.name, *digest),
        }
    }
    known
}

/// What a night found.
#[derive(Default)]
pub(crate) struct NightFragments {
    /// (number, fragment) of the new ones.
    pub(crate) new: Vec<(u32, Fragment)>,
    /// (fragment, head) of known ones that lie within another head since tonight.
    pub(crate) within: Vec<(u32, u32)>,
    /// (fragment, name of the known text) of known ones that are explained otherwise since tonight.
    pub(crate) explained: Vec<(u32, Option<String>)>,
    /// Fragments that were found and not kept.
    pub(crate) cut: u64,
    /// Files of earlier nights that went into new ones.
    pub(crate) merged_files: Vec<String>,
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

/// Finds the fragment families of a finished night and writes who is in them. `near` names the near-duplicate family of a prompt,
/// `facts_of` knows how the family of a known head stands.
pub(crate) fn find(
    (store, view): (&Store, &View),
    fields: [Printed; 3],
    near: &(dyn Fn(u32) -> u32 + Sync),
    facts_of: &dyn Fn(u32) -> Option<Head>,
    config: &AuditConfig,
    night: &mut NewNight,
    progress: &dyn Progress,
) -> Result<NightFragments> {
    let printer = printer(&view.naming_key);
    let of_store = stored_fragment::all(store)?;
    let mut found = NightFragments::default();
    let (mut all, mut holders): (Vec<Member>, Vec<Holder>) = Default::default();
    let mut next = view.fragments.len() as u32;
    let oldest = oldest_night(night.night, &config.fragments);
    for printed in fields {
        let field = printed.field;
        let tonight = Texts::open(Mapped::open(&night.path(&format!("{}.bin", texts_kind(field))))?)?;
        let texts = FieldTexts { view, field, first: printed.first_new, tonight };
        let of_group = |text: u32| if field == Field::Prompt { near(text) } else { text };
        progress.stage("runs", None);
        let (mut known, asleep) = known_runs((&of_store, &printed), &printer, &|head| {
            facts_of(head).is_none_or(|of| of.last_night >= oldest)
        });
        let text_of = |&number: &u32| of_store[number as usize].text.as_str();
        let kept = KeptRuns::new(&printer, known.iter().map(text_of).collect());
        let seeds = printed.seeds(&of_group, &kept);
        let (mut grown, cut) = grow(kept, &seeds, &texts);
        found.cut += cut;
        // What is grown again letter for letter is the run that slept.
        grown.retain(|run| match asleep.get(run.as_str()) {
            Some(&number) => {
                known.push(number);
                false
            }
            None => true,
        });
        let known_texts: Vec<&str> = known.iter().map(text_of).collect();
        progress.stage("members", None);
        let runs = Runs {
            n_known: known.len(),
            numbers: known.into_iter().chain(next..).take(known_texts.len() + grown.len()).collect(),
            texts: known_texts.into_iter().chain(grown.iter().map(String::as_str)).collect(),
        };
        let tonight: Vec<u32> = (printed.first_new..).take(texts.tonight.len()).collect();
        let everything: Vec<usize> = (0..runs.texts.len()).collect();
        let mut held =
            Held::new((view, &printed, &of_group), next, members(&runs, &everything, &printer, &texts, &tonight));
        // Of what is not a part of a family that is known already, older texts are read too.
        let parts = held.parts(&runs);
        let open: Vec<usize> =
            (runs.n_known..).zip(&parts).filter(|(_, head)| head.is_none()).map(|(i, _)| i).collect();
        let older = printed.older_holders(&printer, open.iter().map(|&i| runs.texts[i]));
        held.add(members(&runs, &open, &printer, &texts, &older));
        progress.stage("fragments", None);
        let named = held.named(&runs, &parts, &printer, &|head| facts_of(head).map_or(0, |of| of.accounts));
        next += named.new.len() as u32;
        found.new.extend(named.new);
        found.within.extend(named.within);
        all.extend(named.members);
        holders.extend(named.holders);
    }
    explain(&of_store, config, &printer, &mut found);
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

/// Numbers of the runs of earlier nights that texts are read for, and by their texts those that sleep: of families that nobody sent in the
/// trailing nights, and of which tonight has no fingerprint.
fn known_runs<'a>(
    (fragments, printed): (&'a [Fragment], &Printed),
    printer: &Printer,
    is_active: &dyn Fn(u32) -> bool,
) -> (Vec<u32>, HashMap<&'a str, u32>) {
    let whole = |fragment: &Fragment| fragment.field == printed.field && !fragment.is_forgotten();
    let known = (0u32..).zip(fragments).filter(|(_, fragment)| whole(fragment));
    let (mut awake, asleep): (Vec<_>, Vec<_>) = known.partition(|(_, fragment)| is_active(fragment.head));
    let texts: Vec<&str> = asleep.iter().map(|(_, fragment)| fragment.text.as_str()).collect();
    let woken = wake(printer, &all(&printed.tonight), &texts);
    let (woken, asleep): (Vec<_>, Vec<_>) = asleep.into_iter().zip(woken).partition(|(_, is_awake)| *is_awake);
    awake.extend(woken.into_iter().map(|(run, _)| run));
    let mut numbers: Vec<u32> = awake.into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    (numbers, asleep.into_iter().map(|((number, fragment), _)| (fragment.text.as_str(), number)).collect())
}

/// Says which known text explains a fragment, of new ones and of those for which it is another than before.
fn explain(fragments: &[Fragment], config: &AuditConfig, printer: &Printer, found: &mut NightFragments) {
    let known = known_texts(&config.fragments, printer);
    if known.is_empty() {
        return;
    }
    let by = |fragment: &Fragment| known.explains(&fragment.text, &fragment.digest()).map(str::to_owned);
    found.new.iter_mut().for_each(|(_, fragment)| fragment.known = by(fragment));
    for (number, fragment) in (0..).zip(fragments).filter(|(_, fragment)| !fragment.is_forgotten()) {
        let explained = by(fragment);
        if explained != fragment.known {
            found.explained.push((number, explained));
        }
    }
}

/// Who holds which of the runs at these `places`, among the texts of a `list`.
fn members(runs: &Runs<'_>, places: &[usize], printer: &Printer, texts: &FieldTexts<'_>, list: &[u32]) -> Vec<Member> {
    let scanner = Scanner::new(printer, places.iter().map(|&i| runs.texts[i]));
    if scanner.is_empty() {
        return Vec::new();
    }
    let read = |scratch: &mut Scratch, &text: &u32| -> Vec<Member> {
        let folded = texts.folded(text);
        let length = u32::try_from(folded.len()).unwrap_or(u32::MAX);
        let member = |f: fragment::Found| {
            let fragment = runs.numbers[places[f.run as usize]];
            Member { fragment, text, first: f.first, end: f.end, held: f.held, length }
        };
        scanner.scan_in(&folded, scratch).into_iter().map(member).collect()
    };
    list.par_iter().map_init(Scratch::default, read).flatten_iter().collect()
}
