//! Human text as token ids: `DATA_DIR/human_text/NAME.jsonl.zst`, read by the shipped model's tokenizer.
//!
//! Weakness: every id counts, the unknown token's too, as a model would have been served. Guarantee: texts come in the order of the
//! file, the same ones whatever the number of threads.

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use stillhunt::detect::windows::Text;
use stillhunt::token::Tokenizer;

/// The folder, and what was read of it.
pub(crate) struct Human {
    dir: PathBuf,
    tokenizer: Tokenizer,
    digests: Mutex<BTreeMap<String, String>>,
}

#[derive(serde::Deserialize)]
struct Line {
    text: String,
}

/// Lines that are tokenised together.
const BATCH: usize = 512;

impl Human {
    /// `None` where the folder is absent.
    pub(crate) fn open(data: &Path) -> Option<Self> {
        let dir = data.join("human_text");
        if !dir.is_dir() {
            return None;
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tokenizer.json");
        let tokenizer =
            Tokenizer::from_bytes(&std::fs::read(file).expect("the shipped tokenizer")).expect("a tokenizer");
        Some(Self { dir, tokenizer, digests: Mutex::default() })
    }

    /// Ids in all: what stands for the width of the logits.
    pub(crate) fn vocab(&self) -> u32 {
        self.tokenizer.n_ids() as u32
    }

    /// What reads them.
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Texts of a file until they have `most` tokens, the last one whole.
    pub(crate) fn texts(&self, name: &str, most: usize) -> Vec<Text> {
        let bytes = std::fs::read(self.dir.join(format!("{name}.jsonl.zst"))).expect("a file of human text");
        let digest = Sha256::digest(&bytes).iter().take(8).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        self.digests.lock().expect("no panic").insert(name.to_owned(), digest);
        let mut lines = std::io::BufReader::new(zstd::Decoder::new(&bytes[..]).expect("zstd")).lines();
        let (mut texts, mut tokens): (Vec<Text>, usize) = (Vec::new(), 0);
        while tokens < most {
            let batch: Vec<String> = lines.by_ref().take(BATCH).map(|line| line.expect("a line")).collect();
            if batch.is_empty() {
                break;
            }
            let read = |line: &String| {
                let line: Line = serde_json::from_str(line).expect("a text");
                Text { tokens: self.tokenizer.every_id(&line.text), prompt: None }
            };
            let read: Vec<Text> = batch.par_iter().map(read).collect();
            for text in read {
                if tokens < most {
                    tokens += text.tokens.len();
                    texts.push(text);
                }
            }
        }
        texts
    }

    /// The files that were read, each with the beginning of its SHA-256.
    pub(crate) fn digests(&self) -> String {
        let digests = self.digests.lock().expect("no panic");
        let each: Vec<String> =
            digests.iter().map(|(name, digest)| format!("`{name}.jsonl.zst` (sha256 {digest}…)")).collect();
        format!("{}; tokenizer {}…, {} ids", each.join(", "), &self.tokenizer.digest().to_string()[..16], self.vocab())
    }
}
