//! What is distilled: the text, the teacher, who was served what, and what students read and say.

use crate::model::Model;
use crate::text::Human;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use stillhunt::detect::decoys::DecoyConfig;
use stillhunt::detect::windows::{Packing, Text};
use stillhunt::detect::{Test, packing};
use stillhunt::log::Prediction;
use stillhunt::radioactivity::Config;
use stillhunt::radioactivity::evidence::{Evidence, Read};
use stillhunt::store::contexts::Facts;
use stillhunt::watermark::native::{green_list::GreenList, gumbel::Gumbel, tournament::Tournament};
use stillhunt::watermark::sample::{Sampling, draw, softmax};
use stillhunt::watermark::{Scheme, SoFar};

/// Answers of each ring, and of the honest crowd.
pub(crate) const HONEST: usize = 1024;
/// Tokens of an answer.
const LONG: usize = 200;
/// Names of rings.
pub(crate) const RINGS: [&str; 3] = ["A", "B", "C"];
/// Words, the last of which stands for all rarer ones and is never said.
const WORDS: usize = 4096;
/// Tokens that teacher and students read.
const READ: usize = 1_200_000;

pub(crate) fn scheme(name: &str, key: u64, vocab: u32) -> Box<dyn Scheme> {
    let secret = *blake3::hash(&key.to_le_bytes()).as_bytes();
    match name {
        "gumbel" => Box::new(Gumbel::new(&secret, 2, vocab)),
        "tournament" => Box::new(Tournament::new(&secret, 15, 2, vocab)),
        _ => Box::new(GreenList::new(&secret, 0.25, 2.0, 2, vocab)),
    }
}

pub(crate) fn test_of(marker: Box<dyn Scheme>) -> Test {
    Test {
        key_id: "key".into(),
        scheme: "native",
        dialect: "native",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: BTreeMap::new(),
        marker,
    }
}

pub(crate) fn config(decoys: usize) -> Config {
    Config {
        alpha: 1e-6,
        least_uniformity: 0.01,
        least_control: 0.001,
        power: 0.95,
        strength: 0.02,
        level: 0.95,
        decoys: DecoyConfig { n: decoys, windows: 50_000, steps: 2e10, seed: 1 },
        bytes: 1 << 29,
        dir: std::env::temp_dir(),
    }
}

pub(crate) fn facts(packing: Packing) -> Facts {
    Facts {
        width: packing.shape.context,
        vocab: packing.vocab,
        scheme: String::new(),
        scheme_digest: String::new(),
        tokenizer: None,
        selection: String::new(),
        selection_digest: String::new(),
        responses: 0,
        tokens: 0,
        contexts: 0,
    }
}

fn evidence(marker: &dyn Scheme) -> Evidence {
    Evidence::new(packing(marker), 1 << 29, &std::env::temp_dir()).expect("a directory")
}

pub(crate) fn read(texts: &[Text], marker: &dyn Scheme) -> Read {
    let mut evidence = evidence(marker);
    evidence.answers(texts).expect("added");
    evidence.finish(1 << 29, &std::env::temp_dir()).expect("finished")
}

pub(crate) fn read_predictions(rows: &[Prediction], marker: &dyn Scheme) -> Read {
    let mut evidence = evidence(marker);
    evidence.predictions(rows, 1).expect("added");
    evidence.finish(1 << 29, &std::env::temp_dir()).expect("finished")
}

/// Contexts of texts as tokens, the first `most` that are distinct.
pub(crate) fn contexts_of(texts: &[Text], packing: Packing, most: usize) -> Vec<Vec<u32>> {
    let width = packing.shape.context;
    let mut seen = HashSet::new();
    let all = texts.iter().flat_map(|text| text.tokens.windows(width));
    all.filter(|context| seen.insert(packing.pack(context))).take(most).map(<[u32]>::to_vec).collect()
}

/// The open text as few words, and the teacher that learned from one part of it.
pub(crate) struct Corpus {
    pub(crate) vocab: u32,
    teacher: Model,
    for_students: Vec<Text>,
    begins: Vec<[u32; 2]>,
}

impl Corpus {
    pub(crate) fn new(human: &Human) -> Self {
        let of = |name: &str| human.texts(name, READ);
        let (one, other) = (of("standard_ebooks"), of("openstax"));
        let mut counts = vec![0u64; human.vocab() as usize];
        one.iter().chain(&other).flat_map(|text| &text.tokens).for_each(|token| counts[*token as usize] += 1);
        let mut order: Vec<u32> = (0..human.vocab()).collect();
        order.sort_by_key(|token| (std::cmp::Reverse(counts[*token as usize]), *token));
        let rare = WORDS as u32 - 1;
        let mut word = vec![rare; counts.len()];
        (0..).zip(&order[..WORDS - 1]).for_each(|(number, token)| word[*token as usize] = number);
        let few = |texts: &[Text]| -> Vec<Text> {
            // A rare word ends a text, so that no student learns what follows it.
            let tokens = texts.iter().flat_map(|text| text.tokens.split(|token| word[*token as usize] == rare));
            let long = tokens.filter(|part| part.len() > 3);
            long.map(|part| Text { tokens: part.iter().map(|token| word[*token as usize]).collect(), prompt: None })
                .collect()
        };
        let half = |texts: &[Text], odd: usize| -> Vec<Text> {
            texts.iter().enumerate().filter(|(i, _)| i % 2 == odd).map(|(_, text)| text.clone()).collect()
        };
        let (one, other) = (few(&one), few(&other));
        let for_teacher = [half(&one, 0), half(&other, 0)].concat();
        let for_students = [half(&one, 1), half(&other, 1)].concat();
        let begins = for_teacher.iter().map(|text| [text.tokens[0], text.tokens[1]]).collect();
        Self { vocab: WORDS as u32, teacher: Model::new(&for_teacher, WORDS as u32), for_students, begins }
    }

    pub(crate) fn teacher_tokens(&self) -> usize {
        self.teacher.tokens
    }

    pub(crate) fn student_tokens(&self) -> usize {
        self.for_students.iter().map(|text| text.tokens.len()).sum()
    }

    pub(crate) fn learn(&self, lessons: &[Text]) -> Model {
        Model::new(lessons, self.vocab)
    }

    /// Answers of a model, planted under a key or not.
    fn answers(&self, model: &Model, marker: Option<&dyn Scheme>, texts: usize, seed: u64) -> Vec<Text> {
        let one = |number: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003) + number as u64);
            let mut tokens = self.begins[rng.random_range(0..self.begins.len())].to_vec();
            let mut row = Vec::new();
            while tokens.len() < LONG {
                model.logits(&tokens, &mut row);
                row[WORDS - 1] = f32::NEG_INFINITY;
                let next = match marker {
                    Some(marker) => {
                        let so_far = SoFar { prompt: &[], response: &tokens };
                        marker.plant(so_far, &row, &Sampling::default(), &mut || rng.random()).expect("finite")
                    }
                    None => draw(&softmax(&row.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()), rng.random()),
                };
                tokens.push(next);
            }
            Text { tokens, prompt: None }
        };
        (0..texts).into_par_iter().map(one).collect()
    }

    pub(crate) fn teach(&self, marker: Option<&dyn Scheme>, texts: usize, seed: u64) -> Vec<Text> {
        self.answers(&self.teacher, marker, texts, seed)
    }
}

/// Three rings and a crowd, served by the teacher under one key.
pub(crate) struct World {
    pub(crate) harvests: Vec<Vec<Text>>,
    pub(crate) honest: Vec<Text>,
    pub(crate) unmarked: Vec<Text>,
}

impl World {
    pub(crate) fn new(corpus: &Corpus, name: &str, seed: u64) -> Self {
        let marker = (name != "none").then(|| scheme(name, seed, corpus.vocab));
        let marker = marker.as_deref();
        let served = |party: u64, texts: usize| corpus.teach(marker, texts, seed * 100 + party);
        Self {
            harvests: (0..3).map(|ring| if marker.is_some() { served(ring, HONEST) } else { Vec::new() }).collect(),
            honest: if marker.is_some() { served(3, HONEST) } else { Vec::new() },
            unmarked: corpus.teach(None, HONEST, seed * 100 + 4),
        }
    }

    /// What a student reads: human text, of which so large a share is ring B's answers instead.
    pub(crate) fn lessons(&self, corpus: &Corpus, share: f64) -> Vec<Text> {
        let tokens = |texts: &[Text]| texts.iter().map(|text| text.tokens.len()).sum::<usize>() as f64;
        if share >= 1.0 {
            return self.harvests[1].clone();
        }
        let human = tokens(&corpus.for_students);
        let all = tokens(&self.harvests[1]);
        // Of the harvest as much as makes up the share, or all of it and less human text.
        let of_harvest = (human * share / (1.0 - share)).min(all);
        let of_human = if share > 0.0 { of_harvest * (1.0 - share) / share } else { human };
        let up_to = |texts: &[Text], most: f64| {
            let mut so_far = 0.0;
            let wanted = texts.iter().take_while(|text| {
                let before = so_far;
                so_far += text.tokens.len() as f64;
                before < most
            });
            wanted.cloned().collect::<Vec<Text>>()
        };
        [up_to(&self.harvests[1], of_harvest), up_to(&corpus.for_students, of_human)].concat()
    }

    /// What the student says.
    pub(crate) fn answers(&self, corpus: &Corpus, student: &Model, seed: u64) -> Vec<Text> {
        corpus.answers(student, None, HONEST, seed * 100 + 50)
    }

    /// What it expects after contexts.
    pub(crate) fn predictions(&self, student: &Model, contexts: &[Vec<u32>]) -> Vec<Prediction> {
        let one = |context: &Vec<u32>| {
            let mut row = Vec::new();
            student.logits(context, &mut row);
            let best = (0..row.len() - 1).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0);
            Prediction { context: context.clone(), predicted: vec![best as u32] }
        };
        contexts.par_iter().map(one).collect()
    }

    fn packed(texts: &[Text], packing: Packing) -> BTreeSet<u128> {
        texts.iter().flat_map(|text| packing.contexts(&text.tokens)).collect()
    }

    /// Contexts that ring number `ring` alone was served.
    fn exclusive_to(&self, ring: usize, packing: Packing, most: usize) -> Vec<Vec<u32>> {
        let others = self.harvests.iter().enumerate().filter(|(number, _)| *number != ring).map(|(_, texts)| texts);
        let others: HashSet<u128> =
            others.chain([&self.honest]).flat_map(|texts| Self::packed(texts, packing)).collect();
        let own = contexts_of(&self.harvests[ring], packing, usize::MAX);
        own.into_iter().filter(|context| !others.contains(&packing.pack(context))).take(most).collect()
    }

    /// Contexts that ring B alone was served.
    pub(crate) fn exclusive(&self, packing: Packing, most: usize) -> Vec<Vec<u32>> {
        self.exclusive_to(1, packing, most)
    }

    /// Some of each ring's.
    pub(crate) fn exclusive_of_all(&self, packing: Packing, most: usize) -> Vec<Vec<u32>> {
        (0..3).flat_map(|ring| self.exclusive_to(ring, packing, most)).collect()
    }
}
