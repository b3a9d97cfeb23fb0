//! How many tokens of a corpus a CPU-second scores: token ids in, distinct windows and all, one key, no decoys; and the references on
//! the first 16,000 of the same tokens in the same run, where `STILLHUNT_PYTHON` (default `python3`) can import them.
//!
//! The corpus is real text whose ids are spread over the vocabulary by a multiplication, so that repeats are those of real text. What
//! the references do in the same time is less: they make windows distinct within one text at most.

use crate::cases;
use crate::text::Human;
use std::fmt::Write as _;
use std::path::Path;
use stillhunt::detect::decoys::DecoyConfig;
use stillhunt::detect::windows::Text;
use stillhunt::detect::{DetectConfig, Reading, Test};

/// Tokens of the corpus.
const TOKENS: usize = 10_000_000;
/// Widths of logits: Llama 2, GPT-2, Llama 3.
const VOCABS: [u32; 3] = [32_000, 50_257, 128_256];
/// Spreads ids: prime to every vocabulary above.
const SPREAD: u64 = 7919;

/// Two tables.
pub(crate) fn report(human: &Human, out: Option<&Path>) -> String {
    let read = super::cpu();
    let mut texts = Vec::new();
    let mut tokens = 0;
    for name in ["standard_ebooks", "ms_docs", "oasst1_replies"] {
        if tokens < TOKENS {
            let more = human.texts(name, TOKENS - tokens);
            tokens += more.iter().map(|text| text.tokens.len()).sum::<usize>();
            texts.extend(more);
        }
    }
    let mut table = format!(
        "{tokens} tokens of {} texts; tokenising them took {:.1} CPU-seconds and is not in the table.\n\n",
        texts.len(),
        super::cpu() - read
    );
    table += "| vocabulary | scheme | scored | million tokens a CPU-second, one thread | all threads: a CPU-second, a second | reference | times |\n|---|---|---:|---:|---:|---:|---:|\n";
    for vocab in VOCABS {
        let spread: Vec<Text> = texts
            .iter()
            .map(|text| {
                let id = |&id: &u32| (u64::from(id) * SPREAD % u64::from(vocab)) as u32;
                Text { tokens: text.tokens.iter().map(id).collect(), prompt: None }
            })
            .collect();
        let peers = peers(&spread, vocab, out);
        for case in cases::all(vocab) {
            let test = [Test {
                key_id: "speed".into(),
                scheme: "",
                dialect: "",
                profile: "any".into(),
                predicted: false,
                published: None,
                parameters: Default::default(),
                marker: case.marker,
            }];
            let (scored, one, _) = once(&test, &spread, 1);
            // All threads once: the vocabulary does not change how well threads are used.
            let all = (vocab == VOCABS[0]).then(|| once(&test, &spread, 0));
            let million = |seconds: f64| tokens as f64 / seconds / 1e6;
            eprintln!("{vocab} {}: {:.2} million tokens a CPU-second", case.name, million(one));
            let (peer, times) = match peers["rates"][&case.name].as_f64() {
                Some(rate) => (format!("{rate:.0}"), format!("{:.0} ×", tokens as f64 / one / rate)),
                None => (String::new(), String::new()),
            };
            let all = all.map(|(_, cpu, wall)| format!("{:.2}, {:.2}", million(cpu), million(wall)));
            let _ = writeln!(
                table,
                "| {vocab} | {} | {scored} | {:.2} | {} | {peer} | {times} |",
                case.name,
                million(one),
                all.unwrap_or_default()
            );
        }
        let _ = writeln!(table, "| {vocab} | references: {} {} | | | | | |", peers["versions"], peers["left_out"]);
    }
    table
}

/// Scored windows, CPU-seconds, seconds.
fn once(tests: &[Test], texts: &[Text], threads: usize) -> (u64, f64, f64) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let config = DetectConfig {
        search: false,
        places: None,
        alpha: 1e-6,
        least_uniformity: 0.01,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: 0, windows: 0, steps: 0.0, seed: 1 },
        bytes: 1 << 30,
        dir: std::env::temp_dir(),
    };
    let (began, wall) = (super::cpu(), std::time::Instant::now());
    let found = pool.install(|| {
        let mut reading = Reading::new(tests, &config, false).expect("a directory");
        texts.chunks(512).for_each(|part| reading.add(part).expect("added"));
        reading.finish(None, &|_| ()).expect("finished")
    });
    (found[0].scored, super::cpu() - began, wall.elapsed().as_secs_f64())
}

/// What the references reach on the same tokens.
fn peers(texts: &[Text], vocab: u32, out: Option<&Path>) -> serde_json::Value {
    let dir = out.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let file = dir.join(format!("tokens-{vocab}.u32"));
    let first: Vec<u8> =
        texts.iter().flat_map(|text| &text.tokens).take(20_000).flat_map(|id| id.to_le_bytes()).collect();
    std::fs::write(&file, first).expect("the tokens");
    let python = std::env::var("STILLHUNT_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/watermark_peer.py");
    let run = std::process::Command::new(python).arg(script).arg(&file).arg(vocab.to_string()).output();
    let _ = std::fs::remove_file(&file);
    let text = run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| serde_json::json!({ "left_out": { "all": "no python" } }))
}
