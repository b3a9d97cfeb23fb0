//! The fields of a key file, read by name: each scheme asks for its own, and what nobody asked for is an error.
//!
//! Guarantee: no error says the value of a field, since any of them may be the key.

use crate::error::{Error, ErrorKind, Result};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Characters of the longest name that an error says in full.
const LONGEST_NAMED: usize = 20;

/// Fields of one key file.
pub struct Fields {
    table: toml::Table,
    asked: RefCell<BTreeSet<String>>,
}

impl Fields {
    /// Over a parsed file.
    #[must_use]
    pub fn new(table: toml::Table) -> Self {
        Self { table, asked: RefCell::default() }
    }

    fn get(&self, name: &str) -> Option<&toml::Value> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.table.get(name)
    }

    /// Whether the file has it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn missing(name: &str) -> Error {
        Error::new(ErrorKind::Config, format!("expected the field {name}, found none"))
            .hint("stillhunt watermark schemes lists the fields of each scheme")
    }

    fn wrong(name: &str, expected: &str) -> Error {
        Error::new(ErrorKind::Config, format!("expected {expected} in the field {name}, got something else"))
    }

    /// A whole number, as Python has them: a TOML integer, or decimal digits in quotes where it is beyond 63 bits.
    ///
    /// # Errors
    /// `Config` when it is missing without a default, no number, or outside `least..=most`.
    pub fn int(&self, name: &str, default: Option<i128>, least: i128, most: i128) -> Result<i128> {
        let value = match self.get(name) {
            None => default.ok_or_else(|| Self::missing(name))?,
            Some(value) => integer(value).ok_or_else(|| Self::wrong(name, "a whole number"))?,
        };
        if value < least || value > most {
            return Err(Self::wrong(name, &format!("a whole number from {least} to {most}")));
        }
        Ok(value)
    }

    /// A whole number that fits `usize`.
    ///
    /// # Errors
    /// As [`Fields::int`].
    pub fn count(&self, name: &str, default: Option<usize>, least: usize, most: usize) -> Result<usize> {
        self.int(name, default.map(|n| n as i128), least as i128, most as i128).map(|n| n as usize)
    }

    /// A number.
    ///
    /// # Errors
    /// `Config` when it is missing without a default, no finite number, or outside `least..=most`.
    pub fn number(&self, name: &str, default: Option<f64>, least: f64, most: f64) -> Result<f64> {
        let value = match self.get(name) {
            None => default.ok_or_else(|| Self::missing(name))?,
            Some(toml::Value::Float(x)) => *x,
            Some(toml::Value::Integer(n)) => *n as f64,
            Some(_) => return Err(Self::wrong(name, "a number")),
        };
        if !(least..=most).contains(&value) {
            return Err(Self::wrong(name, &format!("a number from {least} to {most}")));
        }
        Ok(value)
    }

    /// One of some words.
    ///
    /// # Errors
    /// `Config` when it is missing without a default, or another word.
    pub fn word<'a>(&self, name: &str, default: Option<&'a str>, words: &[&'a str]) -> Result<&'a str> {
        let got = match self.get(name) {
            None => return default.ok_or_else(|| Self::missing(name)),
            Some(value) => value.as_str().unwrap_or_default(),
        };
        words.iter().find(|word| **word == got).copied().ok_or_else(|| Self::wrong(name, &words.join(" or ")))
    }

    /// Text.
    ///
    /// # Errors
    /// `Config` when it is no text.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| Self::wrong(name, "text in quotes")),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// `Config` when it is neither.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| Self::wrong(name, "true or false")),
        }
    }

    /// Whole numbers, as [`Fields::int`] reads each.
    ///
    /// # Errors
    /// `Config` when it is missing without a default, not a list of numbers, or not of `least..=most` entries.
    pub fn ints(&self, name: &str, default: Option<&[i128]>, least: usize, most: usize) -> Result<Vec<i128>> {
        let values = match self.get(name) {
            None => default.map(<[i128]>::to_vec).ok_or_else(|| Self::missing(name))?,
            Some(value) => value
                .as_array()
                .and_then(|list| list.iter().map(integer).collect::<Option<Vec<_>>>())
                .ok_or_else(|| Self::wrong(name, "a list of whole numbers"))?,
        };
        if values.len() < least || values.len() > most {
            return Err(Self::wrong(name, &format!("{least} to {most} whole numbers")));
        }
        Ok(values)
    }

    /// 32 bytes as 64 lower-case hex digits.
    ///
    /// # Errors
    /// `Config` when it is missing or something else.
    pub fn bytes32(&self, name: &str) -> Result<[u8; 32]> {
        let digits = self.text(name)?.ok_or_else(|| Self::missing(name))?;
        let digest: crate::ids::Digest =
            digits.parse().map_err(|()| Self::wrong(name, "64 lower-case hex digits (32 bytes)"))?;
        Ok(digest.0)
    }

    /// The vocabulary: the width of the model's logits.
    ///
    /// # Errors
    /// `Config` when it is missing or not from 2 to 2²⁴.
    pub fn vocab(&self) -> Result<u32> {
        self.int("vocab_size", None, 2, 1 << 24).map(|n| n as u32).map_err(|error| {
            error.hint("the width of the model's logits, vocab_size in its config.json; it can differ from the tokenizer's size")
        })
    }

    /// Fails when the file has a field that nobody asked for.
    ///
    /// # Errors
    /// `Config`, with the names; of long ones the beginning.
    pub fn done(&self) -> Result<()> {
        let asked = self.asked.borrow();
        // A long one may be a key that stands in the wrong place.
        let named = |name: &String| match name.chars().count() {
            0..=LONGEST_NAMED => name.clone(),
            _ => name.chars().take(8).chain(['…']).collect(),
        };
        let unknown: Vec<String> = self.table.keys().filter(|name| !asked.contains(name.as_str())).map(named).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, format!("expected fields of this scheme, got also {}", unknown.join(", ")))
            .hint("stillhunt watermark schemes lists the fields of each scheme"))
    }
}

fn integer(value: &toml::Value) -> Option<i128> {
    match value {
        toml::Value::Integer(n) => Some(i128::from(*n)),
        toml::Value::String(digits) if digits.len() <= 30 => digits.parse().ok(),
        _ => None,
    }
}
