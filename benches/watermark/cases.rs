//! The schemes that are measured, opened by their names with defaults, and a corpus as one of them reads it.

use stillhunt::detect::p_value::Law;
use stillhunt::detect::tally::{Scored, Scoring, law, score};
use stillhunt::detect::windows::{Corpus, Echo, Gathered, Packing, Text};
use stillhunt::watermark::about::About;
use stillhunt::watermark::catalogue::ALL;
use stillhunt::watermark::fields::Fields;
use stillhunt::watermark::keys::TreeKey;
use stillhunt::watermark::{PAD, Scheme};

/// Bytes of windows in memory.
const BYTES: usize = 1 << 30;

/// A scheme with its parameters, under any key.
pub(crate) struct Case {
    /// Scheme, dialect, and fields that are not defaults.
    pub(crate) name: String,
    /// It.
    pub(crate) marker: Box<dyn Scheme>,
}

/// Fields beside the defaults that are measured, too.
const VARIANTS: &[(&str, &str, &str)] = &[
    ("green-list", "native", "context_width = 1"),
    ("gumbel", "native", "context_width = 1"),
    ("tournament", "native", "context_width = 1"),
    ("synthid", "transformers", "statistic = \"weighted_mean\""),
    ("synthid", "synthid-text", "statistic = \"weighted_mean\""),
    ("kgw", "transformers", "seeding_scheme = \"selfhash\""),
    ("kgw", "transformers", "seeding_scheme = \"selfhash\"\ncontext_width = 4"),
    ("gumbel", "sglang", "context_window = 1"),
    ("sbw", "sbw", "seeding_scheme = \"gpu-simple_1\"\ngamma = 0.25"),
    ("sbw", "sbw", "seeding_scheme = \"gpu-minhash\""),
    ("sbw", "vllm", "seeding_scheme = \"lefthash\""),
    ("kgw", "lm-watermarking", "seeding_scheme = \"selfhash\""),
    ("kgw", "lm-watermarking", "seeding_scheme = \"minhash\""),
    ("kgw", "lm-watermarking", "seeding_scheme = \"skipgram\""),
    ("kgw", "lm-watermarking", "seeding_scheme = \"ff-additive_prf-4-False\""),
];

/// One scheme; `extra` is TOML.
pub(crate) fn case(about: &About, vocab: u32, extra: &str) -> Case {
    let mut table = TreeKey::root([7; 32]).fields(about);
    table.extend(extra.parse::<toml::Table>().expect("TOML"));
    table.insert("scheme".into(), about.scheme.into());
    table.insert("dialect".into(), about.dialect.into());
    table.insert("vocab_size".into(), i64::from(vocab).into());
    let named = format!("{} {}", about.scheme, about.dialect);
    let opened = stillhunt::watermark::catalogue::open(&Fields::new(table));
    let (_, opened) = opened.unwrap_or_else(|error| panic!("{named} {extra}: {error}"));
    let extra = extra.trim().replace('\n', ", ").replace('"', "");
    let name = if extra.is_empty() { named } else { format!("{named} ({extra})") };
    Case { name, marker: opened.scheme }
}

/// Every scheme with its defaults, then the variants.
pub(crate) fn all(vocab: u32) -> Vec<Case> {
    let defaults = ALL.iter().map(|about| case(about, vocab, ""));
    let find = |scheme: &str, dialect: &str| ALL.iter().find(|a| a.scheme == scheme && a.dialect == dialect);
    let variants = VARIANTS
        .iter()
        .filter_map(|(scheme, dialect, extra)| find(scheme, dialect).map(|about| case(about, vocab, extra)));
    defaults.chain(variants).collect()
}

/// The native schemes, whose planting is measured.
pub(crate) fn native(vocab: u32) -> Vec<Case> {
    ALL.iter().filter(|about| about.dialect == "native").map(|about| case(about, vocab, "")).collect()
}

/// Texts as one scheme reads them.
pub(crate) struct Evidence {
    corpus: Corpus,
    tokens: Vec<u32>,
    places: u64,
    /// Texts that were read.
    pub(crate) texts: usize,
}

impl Evidence {
    /// Of all `texts`.
    pub(crate) fn new(marker: &dyn Scheme, texts: &[Text]) -> Self {
        let traits = marker.traits();
        let mut gathered = Gathered::new(
            Packing { shape: traits.shape, vocab: traits.vocab },
            Echo::Window,
            BYTES,
            &std::env::temp_dir(),
        );
        let (mut tokens, mut places) = (Vec::new(), Vec::with_capacity(texts.len()));
        for text in texts {
            tokens.extend(std::iter::repeat_n(PAD, traits.shape.context));
            places.push(tokens.len() as u64);
            tokens.extend_from_slice(&text.tokens);
        }
        gathered.add(texts, &places).expect("memory");
        let corpus = gathered.finish(BYTES, &std::env::temp_dir()).expect("memory");
        Self { corpus, places: tokens.len() as u64, tokens, texts: texts.len() }
    }

    /// Of as many of the first `texts` as give about `least` scored windows or more; of all where they never do.
    pub(crate) fn with_windows(marker: &dyn Scheme, texts: &[Text], least: u64) -> Self {
        // Where windows share seeds, how many do depends on the key.
        let least = if marker.traits().collapses { least + least / 4 } else { least };
        let mut wanted = least as usize;
        loop {
            let mut tokens = 0;
            let enough = texts.iter().position(|text| {
                tokens += text.tokens.len();
                tokens >= wanted
            });
            let n = enough.map_or(texts.len(), |last| last + 1);
            let evidence = Self::new(marker, &texts[..n]);
            let scored = evidence.score(marker).tallies[0].scored();
            if scored >= least || n == texts.len() {
                return evidence;
            }
            let missing = least as f64 / scored.max(1) as f64;
            wanted = (wanted as f64 * missing.clamp(1.05, 4.0)) as usize;
        }
    }

    /// Scores every distinct window.
    pub(crate) fn score(&self, marker: &dyn Scheme) -> Scored {
        let dir = std::env::temp_dir();
        let scoring = Scoring { tokens: &self.tokens, places: self.places, bytes: BYTES, dir: &dir };
        score(marker, &self.corpus, self.corpus.seen(), scoring, None).expect("memory")
    }

    /// Scored windows, and ln p.
    pub(crate) fn ln_p(&self, marker: &dyn Scheme) -> (u64, f64) {
        let tally = self.score(marker).tallies.swap_remove(0);
        (tally.scored(), self.law(marker).ln_p(tally.scored(), tally.statistic()))
    }

    /// The law of a scheme's statistic on this text, whichever its key.
    pub(crate) fn law(&self, marker: &dyn Scheme) -> Law {
        let dir = std::env::temp_dir();
        let scoring = Scoring { tokens: &self.tokens, places: self.places, bytes: BYTES, dir: &dir };
        law(marker, &self.corpus, self.corpus.seen(), scoring)
    }

    /// Tokens left out because they stood in the prompt.
    pub(crate) fn copied(&self) -> u64 {
        self.corpus.masked().copied_from_prompt
    }
}
