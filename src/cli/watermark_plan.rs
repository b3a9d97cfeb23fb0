//! The command `watermark plan`: reads what it needs, and prints what a configuration is expected to give.

use super::config::inputs as expand;
use super::format::Format;
use super::print;
use super::progress::Meter;
use super::watermark::{between, keys, logits, told_apart};
use super::watermark_args::Plan;
use crate::audit::expected::{expected, simulated};
use crate::audit::watermark::{self, DetectSettings};
use crate::detect::decoys::DecoyConfig;
use crate::detect::{DetectConfig, Test};
use crate::error::Result;
use crate::log::LogConfig;
use crate::report::expected::{Expected, json, text};
use crate::store::files::read_bounded;
use crate::token::Tokenizer;
use crate::watermark::keys::Given;
use crate::watermark::sample::Sampling;

/// Texts out of which contexts are drawn.
const MOST_CONTEXTS: usize = 1000;

pub(crate) fn plan(args: &Plan) -> Result<()> {
    let greedy = args.temperature == 0.0;
    let sampling = Sampling {
        temperature: if greedy { 1.0 } else { between("temperature", args.temperature, 1e-3, 1e3)? },
        top_k: if greedy { 1 } else { args.top_k },
        top_p: between("top-p", args.top_p, 1e-6, 1.0)?,
    };
    let mut all = Vec::new();
    for path in &args.key_file {
        all.extend(keys(path, &Given::default())?);
    }
    let tests = watermark::tests(all);
    let tokenizer =
        args.tokenizer.as_deref().map(|path| Tokenizer::from_bytes(&read_bounded(path, 256 << 20)?)).transpose()?;
    if let Some(tokenizer) = &tokenizer {
        told_apart(tokenizer, &tests.iter().collect::<Vec<&Test>>());
    }
    let rows = args.logits.as_deref().map(logits).transpose()?;
    let settings = DetectSettings {
        tests: &tests,
        tokenizer: tokenizer.as_ref(),
        bos_token_id: None,
        eos_token_id: None,
        config: DetectConfig {
            search: false,
            places: None,
            alpha: 1e-6,
            least_uniformity: 0.01,
            power: 0.95,
            strength: 0.1,
            level: 0.95,
            decoys: DecoyConfig { n: 0, windows: 0, steps: 1.0, seed: args.seed },
            bytes: 1 << 30,
            dir: std::env::temp_dir(),
        },
        log: LogConfig { max_row_bytes: 16 << 20, max_row_values: 1 << 22, ..LogConfig::default() },
    };
    let inputs = expand(&args.files, &|_| true)?;
    let meter = Meter::new();
    let mut contexts = Vec::new();
    let mut keep = |texts: &[crate::detect::windows::Text]| {
        let room = MOST_CONTEXTS.saturating_sub(contexts.len());
        contexts.extend(texts.iter().take(room).cloned());
    };
    let found = watermark::detect_with(&inputs, &settings, None, &mut keep, &meter);
    meter.end();
    let found = found?;
    let mut out = Vec::with_capacity(tests.len());
    for (test, finding) in tests.iter().zip(&found.results) {
        let planted = rows.as_ref().map(|rows| simulated(test, rows.view(), &contexts, &sampling, args.seed));
        out.push(expected(test, finding, planted.transpose()?, &sampling));
    }
    let steps = rows.map(|rows| rows.nrows().min(crate::audit::expected::MOST_ROWS));
    let plan = Expected { schema: 1, documents: found.input.documents, steps, keys: out };
    print::out(&match args.format {
        Format::Json => json(&plan),
        _ => text(&plan),
    })
}
