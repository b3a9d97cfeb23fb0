//! A real distillation, from one command: a teacher that plants, rings that harvest, students that learn, and both tests on each.
//!
//! `cargo bench --bench radioactivity -- DATA_DIR [distil] [nulls] [speed] [--seeds N] [--keys N]`. DATA_DIR holds `human_text`; without it
//! `distil` and `nulls` name themselves as skipped. Teacher and students are the language model of three tokens of `benches/watermark`, over the 4,095 words
//! that the human text uses most: the teacher learns from one part of the text and answers under the key, a student learns from another part and
//! from answers. Weakness: such a student remembers what it read word by word; a transformer learns less from the same text. Guarantee: the same seeds
//! give the same numbers.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

#[path = "../watermark/model.rs"]
#[allow(dead_code)]
mod model;
#[path = "../watermark/text.rs"]
#[allow(dead_code)]
mod text;
mod world;

use cpu_time::ProcessTime;
use rayon::prelude::*;
use std::path::Path;
use stillhunt::detect::windows::Text;
use stillhunt::detect::{Test, Verdict, packing};
use stillhunt::radioactivity::attribute::{Case, Owners, Ring, RingFinding, attribute};
use stillhunt::radioactivity::{Finding, Served, judge, test};
use stillhunt::stats;
use stillhunt::store::contexts::{Builder, Contexts};
use stillhunt::watermark::Scheme;
use text::Human;
use world::{Corpus, HONEST, RINGS, World, config, facts, read, read_predictions, scheme, test_of};

/// Shares of the ring's answers in what a student reads.
const SHARES: [f64; 5] = [0.0, 0.01, 0.05, 0.2, 1.0];

fn served(texts: &[Text], marker: &dyn Scheme) -> Served {
    let packing = packing(marker);
    let dir = std::env::temp_dir();
    let mut builder = Builder::new(1 << 28, &dir);
    texts.iter().for_each(|text| builder.add(packing.contexts(&text.tokens)).expect("added"));
    Served { name: "B".into(), set: builder.held(facts(packing), &dir).expect("held") }
}

fn one(of: &Test, suspect: &stillhunt::radioactivity::evidence::Read, set: Option<&Served>, decoys: usize) -> Finding {
    let config = config(decoys);
    judge(vec![test(of, suspect, set, &[], &config).expect("tested")], &config).remove(0)
}

fn owned(
    of: &Test,
    harvests: &[Vec<Text>],
    honest: &[Text],
) -> (stillhunt::radioactivity::attribute::Served, Vec<Ring>) {
    let packing = packing(of.marker.as_ref());
    let mut owners = Owners::new(1 << 29, &std::env::temp_dir());
    let (mut account, mut rings) = (0, Vec::new());
    for (number, texts) in harvests.iter().map(Vec::as_slice).chain([honest]).enumerate() {
        let first = account;
        // Twenty answers an account of a ring, four of an honest one.
        for texts in texts.chunks(if number < harvests.len() { 20 } else { 4 }) {
            texts.iter().for_each(|text| owners.add(account, packing.contexts(&text.tokens)).expect("added"));
            account += 1;
        }
        if number < harvests.len() {
            rings.push(Ring { name: RINGS[number].into(), members: (first..account).collect() });
        }
    }
    (owners.finish().expect("finished"), rings)
}

fn named(rings: &[RingFinding]) -> String {
    let names: Vec<&str> = rings.iter().filter(|r| r.verdict == Verdict::Marked).map(|r| &r.ring[..]).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn distil(corpus: &Corpus, seeds: u64) {
    println!("\n## A student of ring B's harvest\n");
    println!(
        "| scheme | seed | share of B's answers | closed, contexts of B | windows | rate | open, exclusive to B | contexts | rate | rings named, closed | open | other rings, largest −log10 p | control, log10 p |"
    );
    println!("|---|---:|---|---:|---:|---:|---:|---:|---:|---|---|---:|---:|");
    for name in ["green-list", "gumbel", "tournament"] {
        for seed in 1..=seeds {
            let world = World::new(corpus, name, seed);
            let of = test_of(scheme(name, seed, corpus.vocab));
            let marker = of.marker.as_ref();
            let set = served(&world.harvests[1], marker);
            let (owners, rings) = owned(&of, &world.harvests, &world.honest);
            let exclusive = world.exclusive(packing(marker), 30_000);
            let mut students: Vec<(String, Vec<Text>)> =
                SHARES.iter().map(|&share| (format!("{share}"), world.lessons(corpus, share))).collect();
            students.push(("0, and 1 of the teacher's unmarked answers".into(), world.unmarked.clone()));
            for (share, lessons) in students {
                let student = corpus.learn(&lessons);
                let answers = read(&world.answers(corpus, &student, seed), marker);
                let closed = one(&of, &answers, Some(&set), 100);
                let config = config(100);
                let attributed = |suspect| {
                    let case = Case { test: &of, suspect, served: &owners, clean: &[] };
                    attribute(&[case], &rings, 1000, &config).expect("tested").0
                };
                let by_answers = attributed(&answers);
                let predictions = read_predictions(&world.predictions(&student, &exclusive), marker);
                let open = one(&of, &predictions, None, 100);
                let everywhere: Vec<Vec<u32>> = world.exclusive_of_all(packing(marker), 10_000);
                let all = read_predictions(&world.predictions(&student, &everywhere), marker);
                let by_predictions = attributed(&all);
                let others = by_answers.iter().chain(&by_predictions).filter(|ring| ring.ring != "B");
                let largest = others.map(|ring| -ring.log10_p).fold(0.0, f64::max);
                println!(
                    "| {name} | {seed} | {share} | {:.1} | {} | {:.4} | {:.1} | {} | {:.4} | {} | {} | {largest:.2} | {:.2} |",
                    closed.log10_p,
                    closed.scored,
                    closed.rate,
                    open.log10_p,
                    open.scored,
                    open.rate,
                    named(&by_answers),
                    named(&by_predictions),
                    closed.controls[0].log10_p,
                );
            }
        }
    }
}

/// The student of the teacher's unmarked answers under many keys, each with its own served text.
fn nulls(corpus: &Corpus, keys: u64) {
    println!("\n## p of a student of the teacher's unmarked answers, each key with its own served text\n");
    println!("| scheme | keys | uniformity p, closed | p ≤ .05 | p ≤ .01 | uniformity p, open | p ≤ .05 | p ≤ .01 |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for name in ["green-list", "gumbel", "tournament"] {
        let world = World::new(corpus, "none", 1);
        let student = corpus.learn(&world.unmarked);
        let answers = world.answers(corpus, &student, 1);
        let ln_ps: Vec<[f64; 2]> = (0..keys)
            .into_par_iter()
            .map(|key| {
                let of = test_of(scheme(name, 1000 + key, corpus.vocab));
                let marker = of.marker.as_ref();
                let texts = corpus.teach(Some(marker), HONEST / 8, 5000 + key);
                let set = served(&texts, marker);
                let randomised = |found: &Finding, turn: u64| {
                    let u = (key as f64 + turn as f64 / 2.0).mul_add(0.618_033_988_7, 0.5).fract();
                    stillhunt::detect::p_value::Law::new(marker.traits().null).ln_randomised(
                        found.scored,
                        found.statistic,
                        u,
                    )
                };
                let closed = one(&of, &read(&answers, marker), Some(&set), 0);
                let contexts = world::contexts_of(&texts, packing(marker), 10_000);
                let open = one(&of, &read_predictions(&world.predictions(&student, &contexts), marker), None, 0);
                [randomised(&closed, 0), randomised(&open, 1)]
            })
            .collect();
        let told = [0, 1].map(|at| {
            let ln_ps: Vec<f64> = ln_ps.iter().map(|of| of[at]).collect();
            let share = |level: f64| {
                let n = ln_ps.iter().filter(|ln_p| **ln_p <= level.ln()).count() as u64;
                let (low, high) = stats::proportion_interval(n, keys, 0.95);
                format!("{:.3} ({low:.3} to {high:.3})", n as f64 / keys as f64)
            };
            format!("{:.3} | {} | {}", stats::ln_uniformity(&ln_ps).exp(), share(0.05), share(0.01))
        });
        println!("| {name} | {keys} | {} | {} |", told[0], told[1]);
    }
}

/// Building a set and scoring in it.
fn speed(millions: usize) {
    println!("\n## Speed, one process\n");
    println!("| step | tokens or contexts | CPU-s | million a CPU-second |");
    println!("|---|---:|---:|---:|");
    let n = millions * 1_000_000;
    let marker = scheme("green-list", 1, 32_000);
    let packing = packing(marker.as_ref());
    let dir = std::env::temp_dir();
    // Ids of 32,000 that look like text in nothing but their number: worse for sorting than text, whose contexts repeat.
    let tokens = |part: u64| -> Vec<u32> {
        let mut state = part.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as u32 % 32_000
        };
        (0..1_000_000).map(|_| next()).collect()
    };
    let row = |step: &str, n: usize, began: ProcessTime| {
        let seconds = began.elapsed().as_secs_f64();
        println!("| {step} | {n} | {seconds:.1} | {:.1} |", n as f64 / seconds / 1e6);
    };
    let began = ProcessTime::now();
    let mut builder = Builder::new(1 << 30, &dir);
    (0..millions as u64).for_each(|part| builder.add(packing.contexts(&tokens(part))).expect("added"));
    let set: Contexts<_> = builder.held(facts(packing), &dir).expect("held");
    row("build a set", n, began);
    println!("| contexts in it | {} | | |", set.facts().contexts);
    let texts: Vec<Text> = (0..10).map(|part| Text { tokens: tokens(part), prompt: None }).collect();
    let of = test_of(marker);
    let began = ProcessTime::now();
    let suspect = read(&texts, of.marker.as_ref());
    row("read the suspect's windows", 10_000_000, began);
    let began = ProcessTime::now();
    let found = one(&of, &suspect, Some(&Served { name: "all".into(), set }), 0);
    row("look them up and score them, with the dealt control and the e-value", found.scored as usize, began);
    let began = ProcessTime::now();
    let harvests: Vec<Vec<Text>> = (0..3)
        .map(|ring| (0..400).map(|i| Text { tokens: tokens(ring * 400 + i)[..2000].to_vec(), prompt: None }).collect())
        .collect();
    let honest: Vec<Text> =
        (0..4000).map(|i| Text { tokens: tokens(5000 + i)[..2000].to_vec(), prompt: None }).collect();
    let suspect: Vec<Text> = harvests.iter().flatten().chain(&honest).cloned().collect();
    row("(make texts of 5,200 accounts)", 10_400_000, began);
    let began = ProcessTime::now();
    let (owners, rings) = owned(&of, &harvests, &honest);
    let suspect = read(&suspect, of.marker.as_ref());
    row("sort who was served what, and the suspect", 20_800_000, began);
    let began = ProcessTime::now();
    let case = Case { test: &of, suspect: &suspect, served: &owners, clean: &[] };
    attribute(&[case], &rings, 5000, &config(0)).expect("tested");
    row("three rings with 5,000 decoy rings each", 10_400_000, began);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |flag: &str, default: u64| {
        let at = args.iter().position(|arg| arg == flag);
        at.and_then(|at| args.get(at + 1)).map_or(default, |n| n.parse().expect("a whole number"))
    };
    let wants = |part: &str| {
        args.iter().any(|arg| arg == part) || !["distil", "nulls", "speed"].iter().any(|p| args.iter().any(|a| a == p))
    };
    let human = args.first().and_then(|dir| Human::open(Path::new(dir)));
    match &human {
        None => println!("skipped: distil and nulls (give the directory that holds human_text)"),
        Some(human) if wants("distil") || wants("nulls") => {
            let corpus = Corpus::new(human);
            println!(
                "Text: {}; {} words; teacher on {} tokens, students on {} others.",
                human.digests(),
                corpus.vocab,
                corpus.teacher_tokens(),
                corpus.student_tokens()
            );
            if wants("distil") {
                distil(&corpus, number("--seeds", 3));
            }
            if wants("nulls") {
                nulls(&corpus, number("--keys", 200));
            }
        }
        Some(_) => {}
    }
    if wants("speed") {
        speed(number("--millions", 100) as usize);
    }
}
