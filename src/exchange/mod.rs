//! One served request with its response, as every reader of logs returns it and the store keeps it.
//!
//! It sits below `log` and `store`, which do not know each other, because both speak of it. Text is exactly as it was in the
//! log; nothing here is folded, trimmed or trusted.

use crate::ids::{Digest, Time};
use serde_json::Value;
use std::collections::BTreeMap;

/// Who spoke an earlier turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `user`, `assistant`, `tool` or what the log says.
    pub role: String,
    /// What was said.
    pub text: String,
}

/// One exchange of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The log's own id; `None` where it has none, and then one is derived from the content.
    pub id: Option<String>,
    /// The billed identity, as the log names it.
    pub account: String,
    /// The identity that the account reports inside itself.
    pub end_user: Option<String>,
    /// When it was served.
    pub time: Time,
    /// The model that was asked.
    pub model: Option<String>,
    /// The newest user text, tool results excluded.
    pub prompt: String,
    /// The system prompt.
    pub system: Option<String>,
    /// The response that was served.
    pub response: Option<String>,
    /// The conversation it belongs to, where the log says so.
    pub conversation: Option<String>,
    /// Earlier turns, oldest first, without the system prompt and without the prompt.
    pub turns: Vec<Turn>,
    /// Everything else: region, network, client, payment token, app, tier …
    pub attributes: BTreeMap<String, Value>,
}

impl Exchange {
    /// Digest of everything but the id. Fields are length-prefixed, so that no two different exchanges are written alike.
    #[must_use]
    pub fn content_digest(&self) -> Digest {
        self.digest(true)
    }

    /// Digest of who said what when: everything but the id and the attributes. Two rows with one id must agree on it. Attributes are what a
    /// format keeps of the rest: the same log as a table has texts where its JSON has numbers, and columns where that has objects.
    #[must_use]
    pub fn core_digest(&self) -> Digest {
        self.digest(false)
    }

    fn digest(&self, attributes: bool) -> Digest {
        let mut hash = blake3::Hasher::new();
        let mut field = |text: Option<&str>| {
            hash.update(&[u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        field(Some(&self.account));
        field(self.end_user.as_deref());
        field(Some(&self.time.micros().to_string()));
        field(Some(&self.prompt));
        for text in [&self.model, &self.system, &self.response, &self.conversation] {
            field(text.as_deref());
        }
        for turn in &self.turns {
            field(Some(&turn.role));
            field(Some(&turn.text));
        }
        for (name, value) in self.attributes.iter().filter(|_| attributes) {
            field(Some(name));
            field(Some(&value.to_string()));
        }
        Digest(*hash.finalize().as_bytes())
    }
}
