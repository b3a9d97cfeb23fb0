//! JSON as it is written: numbers keep their digits, so that two results can be compared bit for bit.
//!
//! A parser that turns numbers into floats may read two different ones as the same. Here a number stays its own text, fields stay in
//! order, and a field that comes twice is an error, since readers differ about which of the two counts. Weakness: 1.0 and 1.00 differ;
//! one program writes a number in one way. Guarantee: any bytes give a value or an error; depth and size are bounded.

use super::wrong;
use crate::error::Result;
use std::collections::BTreeSet;

/// Deepest nesting.
const DEEPEST: usize = 100;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A number, `true`, `false` or `null`, as it is written.
    Atom(String),
    /// A text, without its escapes.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Fields in order.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads a value.
    /// # Errors
    /// `Input` when the bytes are no JSON, nested too deeply, or a field comes twice.
    ///
    /// # Example
    /// ```
    /// use stillhunt::evidence::json::Json;
    /// let value = Json::parse(br#"{"p": -1.50e3}"#).unwrap();
    /// assert_eq!(value.at("p"), Some(&Json::Atom("-1.50e3".into())));
    /// assert!(Json::parse(br#"{"p": 1, "p": 2}"#).is_err());
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("expected UTF-8"))?;
        // The grammar is serde's matter; what is read below is known to be JSON.
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|cause| wrong(format!("expected JSON: {cause}")))?;
        let mut reader = Reader { text, at: 0 };
        reader.value(0)
    }

    /// A field.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.iter().find(|(of, _)| of == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Map(fields) => fields.iter().position(|(of, _)| of == name).map(|at| fields.remove(at).1),
            _ => None,
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items, where it is a list.
    #[must_use]
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A number, rounded to the nearest float.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Atom(atom) => atom.parse().ok(),
            _ => None,
        }
    }

    /// Calls `each` with every text.
    pub fn texts<'a>(&'a self, each: &mut dyn FnMut(&'a str)) {
        match self {
            Self::Text(text) => each(text),
            Self::Atom(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.texts(each)),
            Self::Map(fields) => fields.iter().for_each(|(_, value)| value.texts(each)),
        }
    }

    /// Its value in few words, for an error.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Atom(atom) => crate::report::escape::clip(atom, 60),
            Self::Text(text) => format!("{:?}", crate::report::escape::clip(text, 60)),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Map(fields) => format!("an object of {} fields", fields.len()),
        }
    }

    /// Writes it without white space.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut String) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        match self {
            Self::Atom(atom) => out.push_str(atom),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    item.put(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                out.push('{');
                for (i, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    out.push_str(&quoted(name));
                    out.push(':');
                    value.put(out);
                }
                out.push('}');
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The characters up to where `end` says, from here on.
    fn word(&mut self, end: impl Fn(u8) -> bool) -> &str {
        let from = self.at;
        while self.peek().is_some_and(|b| !end(b)) {
            self.at += 1;
        }
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn string(&mut self) -> Result<String> {
        let from = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(wrong("expected the end of a text")),
            }
        }
        self.at += 1;
        let token = self.text.get(from..self.at).unwrap_or_default();
        serde_json::from_str(token).map_err(|cause| wrong(format!("expected a text: {cause}")))
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEEPEST {
            return Err(wrong(format!("expected JSON of at most {DEEPEST} levels")));
        }
        self.skip();
        let value = match self.peek() {
            Some(b'"') => Json::Text(self.string()?),
            Some(b'[') => {
                let mut items = Vec::new();
                self.at += 1;
                self.skip();
                while self.peek().is_some_and(|b| b != b']') {
                    items.push(self.value(depth + 1)?);
                    self.separator();
                }
                self.at += 1;
                Json::List(items)
            }
            Some(b'{') => {
                let (mut fields, mut names) = (Vec::new(), BTreeSet::new());
                self.at += 1;
                self.skip();
                while self.peek().is_some_and(|b| b != b'}') {
                    let name = self.string()?;
                    if !names.insert(name.clone()) {
                        return Err(wrong(format!("expected each field once, got {name:?} twice")));
                    }
                    self.word(|b| b == b':');
                    self.at += 1;
                    fields.push((name, self.value(depth + 1)?));
                    self.separator();
                }
                self.at += 1;
                Json::Map(fields)
            }
            _ => {
                let atom = self.word(|b| b.is_ascii_whitespace() || matches!(b, b',' | b']' | b'}')).to_owned();
                if atom.is_empty() {
                    return Err(wrong("expected a value"));
                }
                Json::Atom(atom)
            }
        };
        Ok(value)
    }

    fn separator(&mut self) {
        self.skip();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip();
        }
    }
}
