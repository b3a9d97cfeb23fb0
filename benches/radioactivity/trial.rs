//! What the product says of one suspect: both tests, and which rings they name.

use crate::model::Model;
use crate::world::{Corpus, EACH, RINGS, SAID, World, config, contexts_of, facts, predictions, read, read_predictions};
use stillhunt::detect::windows::Text;
use stillhunt::detect::{Test, Verdict, packing};
use stillhunt::radioactivity::attribute::{Case, Owners, Ring, RingFinding, Served as Owned, attribute};
use stillhunt::radioactivity::evidence::Read;
use stillhunt::radioactivity::{Finding, Served, judge, test};
use stillhunt::stats;
use stillhunt::store::contexts::Builder;
use stillhunt::watermark::Scheme;

/// Decoy keys of each test, and decoy rings of each ring.
const DECOYS: usize = 40;
const DECOY_RINGS: usize = 1000;
/// Contexts that an open suspect is asked for: of ring B, and of each ring where rings are to be named.
const ASKED: [usize; 2] = [30_000, 10_000];

pub(crate) fn served(texts: &[Text], marker: &dyn Scheme) -> Served {
    let packing = packing(marker);
    let dir = std::env::temp_dir();
    let mut builder = Builder::new(1 << 28, &dir);
    texts.iter().for_each(|text| builder.add(packing.contexts(&text.tokens)).expect("added"));
    Served { name: "B".into(), set: builder.held(facts(packing), &dir).expect("held") }
}

pub(crate) fn one(of: &Test, suspect: &Read, set: Option<&Served>, beside: &[&Served], decoys: usize) -> Finding {
    let config = config(decoys);
    let found = test(of, suspect, set, beside, &[], &config).expect("tested");
    judge(vec![found], &config).remove(0)
}

/// Who was served what: rings with `EACH[0]` answers an account, then honest accounts with `EACH[1]`.
pub(crate) fn owned(of: &Test, harvests: &[Vec<Text>], honest: &[Text]) -> (Owned, Vec<Ring>) {
    let packing = packing(of.marker.as_ref());
    let mut owners = Owners::new(1 << 29, &std::env::temp_dir());
    let (mut account, mut rings) = (0, Vec::new());
    for (number, texts) in harvests.iter().map(Vec::as_slice).chain([honest]).enumerate() {
        let first = account;
        for texts in texts.chunks(EACH[usize::from(number == harvests.len())]) {
            texts.iter().for_each(|text| owners.add(account, packing.contexts(&text.tokens)).expect("added"));
            account += 1;
        }
        if number < harvests.len() {
            rings.push(Ring { name: RINGS[number].into(), members: (first..account).collect() });
        }
    }
    (owners.finish().expect("finished"), rings)
}

/// A world made ready for suspects.
pub(crate) struct Trial<'a> {
    corpus: &'a Corpus,
    of: &'a Test,
    set: Served,
    /// All that was served to rings and crowd.
    all: Served,
    owners: Owned,
    rings: Vec<Ring>,
    /// Asked of an open suspect: contexts of B, and of all rings.
    asked: [Vec<Vec<u32>>; 2],
    exclusive: usize,
}

/// Both tests of one suspect.
pub(crate) struct Found {
    pub(crate) closed: Finding,
    /// None where the suspect is only text.
    pub(crate) open: Option<Finding>,
    /// The rings by its answers, and by its predictions.
    pub(crate) rings: [Vec<RingFinding>; 2],
}

impl Found {
    /// The closed test, or the open one where there is one.
    pub(crate) fn of(&self, mode: usize) -> Option<&Finding> {
        if mode == 0 { Some(&self.closed) } else { self.open.as_ref() }
    }
}

impl<'a> Trial<'a> {
    pub(crate) fn new(corpus: &'a Corpus, world: &'a World) -> Self {
        let of = &world.of;
        let packing = packing(of.marker.as_ref());
        let (owners, rings) = owned(of, &world.harvests, &world.honest);
        let own = world.exclusive(packing, ASKED[0]);
        let exclusive = own[1].len();
        // Where everybody was served the same contexts, as contexts of one token are, those of B at all.
        let of_b = if own[1].len() < 500 { contexts_of(&world.harvests[1], packing, ASKED[0]) } else { own[1].clone() };
        let of_all = own.into_iter().flat_map(|own| own.into_iter().take(ASKED[1])).collect();
        let set = served(&world.harvests[1], of.marker.as_ref());
        let everything: Vec<Text> = world.harvests.iter().chain([&world.honest]).flatten().cloned().collect();
        let all = served(&everything, of.marker.as_ref());
        Self { corpus, of, set, all, owners, rings, asked: [of_b, of_all], exclusive }
    }

    /// Contexts that B alone was served.
    pub(crate) fn exclusive(&self) -> usize {
        self.exclusive
    }

    fn named(&self, suspect: &Read) -> Vec<RingFinding> {
        let case = Case { test: self.of, suspect, served: &self.owners, clean: &[] };
        attribute(&[case], &self.rings, DECOY_RINGS, &config(DECOYS)).expect("tested").0
    }

    /// A suspect of which only answers are at hand.
    pub(crate) fn of_answers(&self, answers: &[Text]) -> Found {
        self.answers(answers, &[])
    }

    /// The same where the set of all that was served is given beside B's.
    pub(crate) fn with_all_served(&self, answers: &[Text]) -> Found {
        self.answers(answers, &[&self.all])
    }

    fn answers(&self, answers: &[Text], beside: &[&Served]) -> Found {
        let answers = read(answers, self.of.marker.as_ref());
        let closed = one(self.of, &answers, Some(&self.set), beside, DECOYS);
        Found { closed, open: None, rings: [self.named(&answers), Vec::new()] }
    }

    /// A model that answers `SAID` times and says what it expects next.
    pub(crate) fn of_model(&self, student: &Model, seed: u64) -> Found {
        let answers = said(self.corpus, student, seed);
        let marker = self.of.marker.as_ref();
        let of_b = read_predictions(&predictions(student, &self.asked[0]), marker);
        let of_all = read_predictions(&predictions(student, &self.asked[1]), marker);
        let Found { closed, rings: [by_answers, _], .. } = self.of_answers(&answers);
        let open = Some(one(self.of, &of_b, None, &[], DECOYS));
        Found { closed, open, rings: [by_answers, self.named(&of_all)] }
    }
}

/// A student's answers.
pub(crate) fn said(corpus: &Corpus, student: &Model, seed: u64) -> Vec<Text> {
    corpus.answers(student, None, (SAID, 1), seed * 100 + 50)
}

/// The rings that are named.
pub(crate) fn named(rings: &[RingFinding]) -> Vec<&str> {
    rings.iter().filter(|ring| ring.verdict == Verdict::Marked).map(|ring| &ring.ring[..]).collect()
}

/// Median, lowest and highest of some numbers.
pub(crate) fn range(numbers: &[f64], digits: usize) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return "–".into() };
    format!("{:.digits$} ({low:.digits$} to {high:.digits$})", sorted[sorted.len() / 2])
}

/// k of n with its exact interval.
pub(crate) fn share(k: usize, n: usize) -> String {
    let (low, high) = stats::proportion_interval(k as u64, n as u64, 0.95);
    format!("{k} of {n} ({low:.3} to {high:.3})")
}
