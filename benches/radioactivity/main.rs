//! A real distillation, from one command: a teacher that plants, rings that harvest, students that learn, and both tests on each.
//!
//! `cargo bench --bench radioactivity -- DATA_DIR [distil] [nulls] [decoys] [attribution] [survive] [speed] [--seeds N] [--keys N] [--schemes A,B] [--calibration DIR]`.
//! DATA_DIR holds `human_text`; without it only `speed` runs. Teacher and students are the language model of three tokens of `benches/watermark`, over the
//! 4,095 words that the human text uses most: the teacher learns from one part of the text and answers under the key, a student learns from another part and
//! from answers. Weakness: such a student remembers what it read word by word; a transformer learns less from the same text. Guarantee: the same seeds
//! give the same numbers.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod attribution;
mod distil;
#[path = "../watermark/model.rs"]
#[allow(dead_code)]
mod model;
mod nulls;
mod survive;
#[path = "../watermark/text.rs"]
#[allow(dead_code)]
mod text;
mod trial;
mod world;

use cpu_time::ProcessTime;
use std::path::{Path, PathBuf};
use stillhunt::detect::packing;
use stillhunt::detect::windows::Text;
use stillhunt::radioactivity::Served;
use stillhunt::radioactivity::attribute::{Case, attribute};
use stillhunt::store::contexts::{Builder, Contexts};
use text::Human;
use trial::{one, owned};
use world::{Corpus, SCHEMES, config, facts, read, scheme, test_of};

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
    let found = one(&of, &suspect, Some(&Served { name: "all".into(), set }), &[], 0);
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

/// Parts that need the text.
const PARTS: [&str; 5] = ["distil", "nulls", "decoys", "attribution", "survive"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let value = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
    let number = |flag: &str, default: u64| value(flag).map_or(default, |n| n.parse().expect("a whole number"));
    let named = |part: &str| args.iter().any(|arg| arg == part);
    let wants = |part: &str| named(part) || !PARTS.iter().chain(&["speed"]).any(|part| named(part));
    let schemes: Vec<String> = match value("--schemes") {
        Some(names) => names.split(',').map(str::to_owned).collect(),
        None => SCHEMES.map(str::to_owned).to_vec(),
    };
    let human = args.first().and_then(|dir| Human::open(Path::new(dir)));
    match &human {
        None => println!("skipped: {} (give the directory that holds human_text)", PARTS.join(", ")),
        Some(human) if PARTS.iter().any(|part| wants(part)) => {
            let corpus = Corpus::new(human);
            println!(
                "Text: {}; {} words; teacher on {} tokens, students on {} others.",
                human.digests(),
                corpus.vocab,
                corpus.teacher_tokens(),
                corpus.student_tokens()
            );
            let timed = |part: &str, run: &dyn Fn()| {
                if wants(part) {
                    let began = ProcessTime::now();
                    run();
                    println!("\n({part}: {:.0} CPU-s)", began.elapsed().as_secs_f64());
                }
            };
            let calibration = value("--calibration").map(PathBuf::from);
            timed("distil", &|| distil::report(&corpus, &schemes, number("--seeds", 5), calibration.as_deref()));
            timed("nulls", &|| nulls::served_by_each(&corpus, &schemes, number("--keys", 200)));
            timed("decoys", &|| nulls::decoys(&corpus, &schemes, number("--keys", 1000) as usize));
            timed("attribution", &|| attribution::report(&corpus, number("--seeds", 20)));
            timed("survive", &|| survive::report(&corpus, human, number("--seeds", 10)));
        }
        Some(_) => {}
    }
    if wants("speed") {
        speed(number("--millions", 100) as usize);
    }
}
