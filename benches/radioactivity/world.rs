//! What is distilled: the text, the teacher, who was served what, and what students read and say.

use crate::model::Model;
use crate::text::Human;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use stillhunt::detect::decoys::DecoyConfig;
use stillhunt::detect::windows::{Packing, Text};
use stillhunt::detect::{Test, packing};
use stillhunt::log::Prediction;
use stillhunt::radioactivity::Config;
use stillhunt::radioactivity::evidence::{Evidence, Read};
use stillhunt::store::contexts::Facts;
use stillhunt::watermark::green::Lists;
use stillhunt::watermark::kgw_transformers::{Kgw, Seeding};
use stillhunt::watermark::native::{green_list::GreenList, gumbel::Gumbel, tournament::Tournament};
use stillhunt::watermark::profile::Profile;
use stillhunt::watermark::sample::Sampling;
use stillhunt::watermark::{Scheme, SoFar};

/// Answers of each ring, and of the honest crowd.
pub(crate) const ANSWERS: usize = 256;
/// Answers that a suspect is asked for.
pub(crate) const SAID: usize = 1024;
/// Answers of an account of a ring, and of an honest one.
pub(crate) const EACH: [usize; 2] = [20, 4];
/// Tokens of an answer.
const LONG: usize = 200;
/// Names of rings.
pub(crate) const RINGS: [&str; 3] = ["A", "B", "C"];
/// Words, the last of which stands for all rarer ones and is never said.
const WORDS: usize = 4096;
/// A forger raises words that were said at least 1.5 times as often as its own model says them, by so much.
const MORE_OFTEN: f32 = 0.405;
const RAISED: f32 = 4.0;
/// Tokens that teacher and students read.
const READ: usize = 1_200_000;

/// What teachers plant. `kgw` is what transformers' `WatermarkingConfig()` plants: a list for each single token before.
pub(crate) const SCHEMES: [&str; 4] = ["green-list", "gumbel", "tournament", "kgw"];

pub(crate) fn scheme(name: &str, key: u64, vocab: u32) -> Box<dyn Scheme> {
    let secret = *blake3::hash(&key.to_le_bytes()).as_bytes();
    match name {
        "gumbel" => Box::new(Gumbel::new(&secret, 2, vocab)),
        "tournament" => Box::new(Tournament::new(&secret, 15, 2, vocab)),
        "kgw" => {
            let lists = Lists::new(Profile::Cpu, vocab, 0.25, false).expect("a quarter of the words");
            let key = 15_485_863 + i128::from(key);
            Box::new(Kgw::new(key, Seeding::LeftHash, 1, 0.25, 2.0, lists).expect("a small key"))
        }
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
        decoys: DecoyConfig { n: decoys, windows: 10_000, steps: 1e9, seed: 1 },
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
    /// The word of each id of the tokenizer, and the id of each word.
    word: Vec<u32>,
    id: Vec<u32>,
}

/// How many tokens texts have.
pub(crate) fn tokens_of(texts: &[Text]) -> usize {
    texts.iter().map(|text| text.tokens.len()).sum()
}

/// The first texts until they have so many tokens, the last one whole; all where there are fewer.
pub(crate) fn up_to(texts: &[Text], most: f64) -> Vec<Text> {
    let mut so_far = 0;
    let wanted = texts.iter().take_while(|text| {
        let before = so_far;
        so_far += text.tokens.len();
        (before as f64) < most
    });
    wanted.cloned().collect()
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
        let mut for_students = [half(&one, 1), half(&other, 1)].concat();
        // Whoever reads a part of it reads novels and textbooks alike.
        for_students.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        let begins = for_teacher.iter().map(|text| [text.tokens[0], text.tokens[1]]).collect();
        order.truncate(WORDS - 1);
        let teacher = Model::new(&for_teacher, WORDS as u32);
        Self { vocab: WORDS as u32, teacher, for_students, begins, word, id: order }
    }

    pub(crate) fn teacher_tokens(&self) -> usize {
        self.teacher.tokens
    }

    pub(crate) fn student_tokens(&self) -> usize {
        tokens_of(&self.for_students)
    }

    pub(crate) fn learn(&self, lessons: &[Text]) -> Model {
        Model::new(lessons, self.vocab)
    }

    /// Human text that the teacher never read: so many tokens of it after the first `skipped`, or what there is.
    pub(crate) fn human(&self, skipped: usize, tokens: f64) -> Vec<Text> {
        let first = up_to(&self.for_students, skipped as f64).len();
        up_to(&self.for_students[first..], tokens)
    }

    /// An unmarked next word of a model.
    fn say(&self, model: &Model, so_far: &[u32], rng: &mut ChaCha8Rng) -> u32 {
        loop {
            let word = model.draw(so_far, &mut || rng.random());
            if (word as usize) < WORDS - 1 {
                return word;
            }
        }
    }

    /// Answers of a model, planted under a key or not. `each` of them are one account's conversation, in which a scheme that leaves used
    /// contexts unmarked sees what was said before.
    pub(crate) fn answers(
        &self,
        model: &Model,
        marker: Option<&dyn Scheme>,
        (texts, each): (usize, usize),
        seed: u64,
    ) -> Vec<Text> {
        let one = |number: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003) + number as u64);
            let (mut said, mut row) = (Vec::new(), Vec::new());
            for _ in 0..each.min(texts - number * each) {
                said.extend_from_slice(&self.begins[rng.random_range(0..self.begins.len())]);
                while said.len() % LONG != 0 {
                    let next = if let Some(marker) = marker {
                        model.logits(&said, &mut row);
                        row[WORDS - 1] = f32::NEG_INFINITY;
                        let so_far = SoFar { prompt: &[], response: &said };
                        marker.plant(so_far, &row, &Sampling::default(), &mut || rng.random()).expect("finite")
                    } else {
                        self.say(model, &said, &mut rng)
                    };
                    said.push(next);
                }
            }
            said.chunks(LONG).map(|text| Text { tokens: text.to_vec(), prompt: None }).collect::<Vec<Text>>()
        };
        (0..texts.div_ceil(each)).into_par_iter().flat_map_iter(one).collect()
    }

    pub(crate) fn teach(&self, marker: Option<&dyn Scheme>, texts: usize, each: usize, seed: u64) -> Vec<Text> {
        self.answers(&self.teacher, marker, (texts, each), seed)
    }

    /// Texts that somebody forges who has read marked text and not the key: a model's own, in which words are raised that followed the same context in what
    /// was read more often than the model would say them (after Jovanović et al. 2024, "Watermark stealing in large language models").
    pub(crate) fn forged(&self, model: &Model, read: &[Text], texts: usize, seed: u64) -> Vec<Text> {
        let known: HashSet<[u32; 2]> =
            read.iter().flat_map(|text| text.tokens.windows(3).map(|of| [of[0], of[1]])).collect();
        let learned = self.learn(read);
        let one = |number: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003) + number as u64);
            let mut said = self.begins[rng.random_range(0..self.begins.len())].to_vec();
            let (mut row, mut theirs) = (Vec::new(), Vec::new());
            while said.len() < LONG {
                model.logits(&said, &mut row);
                row[WORDS - 1] = f32::NEG_INFINITY;
                if known.contains(&[said[said.len() - 2], said[said.len() - 1]]) {
                    learned.logits(&said, &mut theirs);
                    let raised = row.iter_mut().zip(&theirs).filter(|(own, theirs)| **theirs > **own + MORE_OFTEN);
                    raised.for_each(|(own, _)| *own += RAISED);
                }
                let all: f64 = row.iter().map(|of| f64::from(of.exp())).sum();
                let mut left = rng.random::<f64>() * all;
                let drawn = row.iter().position(|of| {
                    left -= f64::from(of.exp());
                    left < 0.0
                });
                said.push(drawn.unwrap_or(0) as u32);
            }
            Text { tokens: said, prompt: None }
        };
        (0..texts).into_par_iter().map(one).collect()
    }

    /// Texts of which a share of the words are replaced, each by another word that `by` finds likely in its place.
    pub(crate) fn paraphrased(&self, texts: &[Text], share: f64, by: &Model, seed: u64) -> Vec<Text> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut one = |text: &Text| {
            let mut tokens = text.tokens.clone();
            for at in 2..tokens.len() {
                if rng.random::<f64>() < share {
                    let other = (0..20).map(|_| self.say(by, &tokens[..at], &mut rng)).find(|word| *word != tokens[at]);
                    tokens[at] = other.unwrap_or(tokens[at]);
                }
            }
            Text { tokens, prompt: None }
        };
        texts.iter().map(&mut one).collect()
    }

    /// Texts word by word in another language: every word has one translation, which is another of the words.
    pub(crate) fn translated(&self, texts: &[Text]) -> Vec<Text> {
        let mut word: Vec<u32> = (0..WORDS as u32 - 1).collect();
        word.shuffle(&mut ChaCha8Rng::seed_from_u64(2));
        let one =
            |text: &Text| Text { tokens: text.tokens.iter().map(|at| word[*at as usize]).collect(), prompt: None };
        texts.iter().map(one).collect()
    }

    /// Texts that were written down as letters and read again by the tokenizer. What is none of our words ends up as the rarest.
    pub(crate) fn read_again(&self, texts: &[Text], human: &Human) -> Vec<Text> {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tokenizer.json");
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file).expect("the shipped tokenizer")).expect("JSON");
        let mut piece = vec![String::new(); self.word.len()];
        for (name, id) in json["model"]["vocab"].as_object().expect("a vocabulary") {
            piece[id.as_u64().expect("an id") as usize].clone_from(name);
        }
        let one = |text: &Text| {
            let mut letters = String::new();
            for word in &text.tokens {
                let piece = &piece[self.id[*word as usize] as usize];
                match piece.strip_prefix("##") {
                    Some(rest) if !letters.is_empty() => letters.push_str(rest),
                    _ => letters.extend([" ", piece]),
                }
            }
            let ids = human.tokenizer().every_id(&letters);
            Text { tokens: ids.iter().map(|id| self.word[*id as usize]).collect(), prompt: None }
        };
        texts.iter().map(one).collect()
    }
}

/// Three rings and a crowd, served by the teacher under one key.
pub(crate) struct World {
    pub(crate) of: Test,
    pub(crate) harvests: Vec<Vec<Text>>,
    pub(crate) honest: Vec<Text>,
    pub(crate) unmarked: Vec<Text>,
}

impl World {
    pub(crate) fn new(corpus: &Corpus, name: &str, seed: u64, answers: usize) -> Self {
        let of = test_of(scheme(name, seed, corpus.vocab));
        let marker = of.marker.as_ref();
        let served = |party: u64, each: usize| corpus.teach(Some(marker), answers, each, seed * 100 + party);
        let harvests = (0..3).map(|ring| served(ring, EACH[0])).collect();
        let honest = served(3, EACH[1]);
        let unmarked = corpus.teach(None, answers, EACH[0], seed * 100 + 4);
        Self { of, harvests, honest, unmarked }
    }

    /// What a student reads: human text, of which so large a share is ring B's answers instead.
    pub(crate) fn lessons(&self, corpus: &Corpus, share: f64) -> Vec<Text> {
        let harvest = &self.harvests[1];
        if share >= 1.0 {
            return harvest.clone();
        }
        // Of the harvest as much as makes up the share, or all of it and less human text.
        let human = corpus.student_tokens() as f64;
        let of_harvest = (human * share / (1.0 - share)).min(tokens_of(harvest) as f64);
        let of_human = if share > 0.0 { of_harvest * (1.0 - share) / share } else { human };
        [up_to(harvest, of_harvest), corpus.human(0, of_human)].concat()
    }

    /// Of each ring, at most so many contexts that it alone was served.
    pub(crate) fn exclusive(&self, packing: Packing, most: usize) -> [Vec<Vec<u32>>; 3] {
        let mut had: HashMap<u128, u8> = HashMap::new();
        for (party, texts) in self.harvests.iter().chain([&self.honest]).enumerate() {
            let contexts = texts.iter().flat_map(|text| text.tokens.windows(packing.shape.context));
            contexts.for_each(|context| *had.entry(packing.pack(context)).or_default() |= 1 << party);
        }
        [0, 1, 2].map(|ring| {
            let own = contexts_of(&self.harvests[ring], packing, usize::MAX);
            own.into_iter().filter(|context| had[&packing.pack(context)] == 1 << ring).take(most).collect()
        })
    }
}

/// What a model expects after contexts.
pub(crate) fn predictions(student: &Model, contexts: &[Vec<u32>]) -> Vec<Prediction> {
    let one = |context: &Vec<u32>| {
        let mut row = Vec::new();
        student.logits(context, &mut row);
        let best = (0..row.len() - 1).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0);
        Prediction { context: context.clone(), predicted: vec![best as u32] }
    };
    contexts.par_iter().map(one).collect()
}
