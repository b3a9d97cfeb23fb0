//! What a request gives: names, kinds and bounds of its values, checked by the same table that the document of the API is made of.
//!
//! The idea: a value is read once, by its kind, into JSON; a handler asks for it by name. Weakness: a handler that asks for a name that its
//! route does not have gets nothing, which a test of that route shows. Guarantee: what is unknown, given twice, out of its range or of another
//! type is refused with the name of the value, before anything is done.

use super::fault::Fault;
use crate::ids::{AccountId, Digest, FamilyId, Level, Time};
use crate::log::parse_time;
use crate::lookup::After;
use crate::report::ring::{Disposition, Rung};
use crate::stored::registry;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text of at most so many characters, not blank.
    Text(usize),
    /// A whole number between these.
    Number(u64, u64),
    /// A moment, RFC 3339.
    Moment,
    /// Name of a family.
    Family,
    /// Pseudonym of an account.
    Account,
    /// Name of a ring.
    Ring,
    /// A digest of 64 hex digits.
    Digest,
    /// A place in the list of families: accounts, requests and name, with points between.
    Place,
    /// Yes or no.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An object of such values, all of which may be left out but those that must be given; without those of the names behind.
    Values(&'static [Param], &'static [&'static str]),
}

/// A value that a route takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) about: &'static str,
}

/// A value that may be left out.
pub(super) const fn may(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, required: false, about }
}

/// A value that must be given.
pub(super) const fn must(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, required: true, about }
}

/// Words of levels, rungs, dispositions and kinds of the registry; a test holds them against the types.
pub(super) const LEVELS: &[&str] = &["exact", "system", "near-duplicate", "fragment"];
pub(super) const RUNGS: &[&str] = &["chance", "provenance", "second-stream"];
pub(super) const DISPOSITIONS: &[&str] = &["benign-coordinated", "resale", "extraction", "unknown"];
pub(super) const KINDS: &[&str] = &["app", "sdk", "gateway", "course", "benchmark", "published"];

impl Kind {
    /// The value as JSON, where it is as it should be; else what was expected.
    fn checked(self, value: &Value) -> Result<Value, String> {
        let text = value.as_str();
        let named = |good: bool, expected: &str| if good { Ok(value.clone()) } else { Err(expected.to_owned()) };
        match self {
            Self::Text(most) => {
                let good = text.is_some_and(|text| text.chars().count() <= most && !text.trim().is_empty());
                named(good, &format!("a text of 1 to {most} characters"))
            }
            Self::Number(least, most) => {
                let number = whole(value).filter(|number| (least..=most).contains(number));
                number.map(Value::from).ok_or_else(|| format!("a whole number between {least} and {most}"))
            }
            Self::Moment => named(moment(value).is_some(), "a moment, for example 2026-11-21T08:00:00Z"),
            Self::Family => named(
                text.is_some_and(|text| text.parse::<FamilyId>().is_ok()),
                "the name of a family (n, x, f or s and 16 hex digits)",
            ),
            Self::Account => named(
                text.is_some_and(|text| text.parse::<AccountId>().is_ok()),
                "the pseudonym of an account (a and 24 hex digits)",
            ),
            Self::Ring => named(text.is_some_and(is_ring), "the name of a ring (r and 16 hex digits)"),
            Self::Digest => {
                named(text.is_some_and(|text| text.parse::<Digest>().is_ok()), "a digest of 64 lower-case hex digits")
            }
            Self::Place => named(text.and_then(place).is_some(), "the field next of the page before"),
            Self::Flag => named(value.is_boolean(), "true or false"),
            Self::Word(words) => {
                named(text.is_some_and(|text| words.contains(&text)), &format!("one of the words {}", words.join(", ")))
            }
            Self::Values(params, without) => {
                let fields = value.as_object().ok_or_else(|| "an object of values".to_owned())?;
                let params: Vec<Param> = left(params, without).copied().collect();
                let mut given = Given::default();
                given.fields(&params, fields).map_err(|fault| format!("an object of values: {}", fault.message))?;
                Ok(given.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }
        }
    }

    /// The JSON value that a text of a query stands for.
    fn of_text(self, text: &str) -> Value {
        match self {
            Self::Number(..) => text.parse::<u64>().map_or_else(|_| json!(text), Value::from),
            Self::Values(..) => Value::Null,
            Self::Flag => text.parse::<bool>().map_or_else(|_| json!(text), Value::from),
            _ => json!(text),
        }
    }

    /// The JSON Schema of it.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Text(most) => json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": "\\S" }),
            Self::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Moment => json!({ "type": "string", "format": "date-time", "minLength": 1 }),
            Self::Family => json!({ "type": "string", "pattern": "^[nxfs][0-9a-f]{16}$" }),
            Self::Account => json!({ "type": "string", "pattern": "^a[0-9a-f]{24}$" }),
            Self::Ring => json!({ "type": "string", "pattern": "^r[0-9a-f]{16}$" }),
            Self::Digest => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
            Self::Place => json!({ "type": "string", "pattern": "^[0-9]{1,18}\\.[0-9]{1,18}\\.[nxfs][0-9a-f]{16}$" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Values(params, without) => object_schema(left(params, without), &[]),
        }
    }
}

fn left<'a>(params: &'a [Param], without: &'a [&str]) -> impl Iterator<Item = &'a Param> {
    params.iter().filter(|param| !without.contains(&param.name))
}

/// The JSON Schema of an object of such values.
pub(super) fn object_schema<'a>(params: impl Iterator<Item = &'a Param>, one_of: &[&str]) -> Value {
    let (mut required, mut properties) = (Vec::new(), Map::new());
    for param in params {
        let mut schema = param.kind.schema();
        // What may be left out may be null as well, unless that would leave nothing.
        if !param.required && !one_of.contains(&param.name) {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        schema["description"] = json!(param.about);
        required.extend(param.required.then_some(param.name));
        properties.insert(param.name.to_owned(), schema);
    }
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// A number without a fraction: JSON writes 5 as 5.0 too.
fn whole(value: &Value) -> Option<u64> {
    let of_float = || {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number))
            .map(|number| number as u64)
    };
    value.as_u64().or_else(of_float)
}

/// The first and the last moment that the program tells, microseconds since 1970: of the years 1 and 9999.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_207_200_000_000;

/// A place in the order of families.
fn place(text: &str) -> Option<After> {
    let mut parts = text.split('.');
    let (accounts, requests) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let id = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(After { accounts, requests, id })
}

fn is_ring(text: &str) -> bool {
    let digits = text.strip_prefix('r').unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A moment with its date and its time of day, so that a plain number is none. One before or after all that can be told is the first or the last of these.
fn moment(value: &Value) -> Option<Time> {
    let text = value.as_str().filter(|text| text.contains(['-', 'T']))?;
    let micros = text.parse::<jiff::Timestamp>().map(|stamp| stamp.as_microsecond().clamp(FIRST, LAST)).ok();
    // The last hours of the year 9999 are no timestamp in every zone.
    let edge = || {
        let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
        (pieces.to_numeric_offset().is_some() && pieces.date().year() == 9999).then_some(LAST)
    };
    micros.or_else(edge).and_then(Time::new).or_else(|| parse_time(value))
}

/// The values of one request, all of them checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(BTreeMap<&'static str, Value>);

impl Given {
    /// Takes the values of the path. What is no name at all is the name of nothing.
    pub(super) fn path(&mut self, params: &[Param], given: &[(String, String)]) -> Result<(), Fault> {
        for param in params {
            let text =
                given.iter().find(|(name, _)| name == param.name).map(|(_, text)| text.as_str()).unwrap_or_default();
            let value = param
                .kind
                .checked(&param.kind.of_text(text))
                .map_err(|expected| Fault::unknown(format!("expected {expected}, got {text:?}")))?;
            self.0.insert(param.name, value);
        }
        Ok(())
    }

    /// Takes the values of a query; with `others` it may hold other values too, and empty ones, which are passed over.
    pub(super) fn query(&mut self, params: &[Param], query: Option<&str>, others: bool) -> Result<(), Fault> {
        let mut fields = Map::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, text) = (decoded(name)?, decoded(text)?);
            if others && (text.is_empty() || params.iter().all(|param| param.name != name)) {
                continue;
            }
            let kind = params.iter().find(|param| param.name == name).map_or(Kind::Text(0), |param| param.kind);
            if fields.insert(name.clone(), kind.of_text(&text)).is_some() {
                return Err(Fault::value(format!("expected the value {name:?} once, got it twice")));
            }
        }
        self.fields(params, &fields)
    }

    /// Takes the values of a body; those of which exactly one is given are left out, and not null.
    pub(super) fn body(&mut self, params: &[Param], one_of: &[&str], bytes: &[u8]) -> Result<(), Fault> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|cause| Fault::value(format!("expected a body of JSON: {cause}")))?;
        let fields = value.as_object().ok_or_else(|| Fault::value("expected a body that is a JSON object"))?;
        if let Some(name) = one_of.iter().find(|name| fields.get(**name) == Some(&Value::Null)) {
            return Err(Fault::value(format!("expected {name} to be left out or given, got null")));
        }
        self.fields(params, fields)?;
        self.one_of(one_of)
    }

    fn fields(&mut self, params: &[Param], fields: &Map<String, Value>) -> Result<(), Fault> {
        if let Some(name) = fields.keys().find(|name| params.iter().all(|param| param.name != name.as_str())) {
            let known: Vec<&str> = params.iter().map(|param| param.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(
                Fault::value(format!("expected no value {name:?}")).hint(format!("values that may be given: {known}"))
            );
        }
        for param in params {
            match fields.get(param.name) {
                None | Some(Value::Null) if !param.required => {}
                None => {
                    return Err(Fault::value(format!("expected the value {}, got none", param.name)).hint(param.about));
                }
                Some(value) => {
                    let value = param.kind.checked(value).map_err(|expected| {
                        Fault::value(format!("expected {} to be {expected}", param.name)).hint(param.about)
                    })?;
                    self.0.insert(param.name, value);
                }
            }
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// The first of these values that is given, with its name.
    pub(super) fn first_of(&self, names: &[&'static str]) -> Option<(&'static str, &Value)> {
        names.iter().find_map(|name| Some((*name, self.0.get(name)?)))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn moment(&self, name: &str) -> Option<Time> {
        moment(self.0.get(name)?)
    }

    pub(super) fn account(&self, name: &str) -> Option<AccountId> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn family(&self, name: &str) -> Option<FamilyId> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn place(&self, name: &str) -> Option<After> {
        place(self.text(name)?)
    }

    /// Refuses a value that does not go with another: where the first is given, the second must be one of the words.
    pub(super) fn goes_with(&self, rules: &[(&str, &str, &[&str])]) -> Result<(), Fault> {
        let broken = |(name, other, words): &&(&str, &str, &[&str])| {
            self.0.contains_key(name) && self.text(other).is_some_and(|text| !words.contains(&text))
        };
        match rules.iter().find(broken) {
            Some((name, other, words)) => {
                Err(Fault::value(format!("expected {other} to be one of {} where {name} is given", words.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// Refuses all but one of these values.
    fn one_of(&self, names: &[&str]) -> Result<(), Fault> {
        let given = names.iter().filter(|name| self.0.contains_key(*name)).count();
        if names.is_empty() || given == 1 {
            return Ok(());
        }
        Err(Fault::value(format!("expected one of {}, got {given}", names.join(", "))))
    }

    pub(super) fn level(&self) -> Option<Level> {
        self.text("level")?.parse().ok()
    }

    pub(super) fn rung(&self) -> Rung {
        Rung::ALL.into_iter().find(|rung| Some(rung.word()) == self.text("rung")).unwrap_or(Rung::Chance)
    }

    pub(super) fn disposition(&self) -> Option<Disposition> {
        Disposition::ALL.into_iter().find(|of| Some(of.word()) == self.text("disposition"))
    }

    pub(super) fn registered(&self) -> Option<registry::Kind> {
        registry::Kind::ALL.into_iter().find(|of| Some(of.word()) == self.text("kind"))
    }
}

/// A name or value of a query, with `+` and `%` taken back.
fn decoded(text: &str) -> Result<String, Fault> {
    let wrong = || Fault::value("expected a query of UTF-8 text, each other byte as % and two hex digits");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        may("limit", Kind::Number(1, 10), "how many"),
        may("level", Kind::Word(LEVELS), "which level"),
        may("since", Kind::Moment, "from when on"),
        may("new", Kind::Flag, "only new ones"),
        must("text", Kind::Text(5), "what"),
    ];

    #[track_caller]
    fn query(text: &str) -> Result<Given, Fault> {
        let mut given = Given::default();
        given.query(PARAMS, Some(text), false).map(|()| given)
    }

    #[test]
    fn values_are_read_by_their_kinds() {
        let given = query("limit=7&text=a%20b%C3%A9&new=true&level=fragment&since=2026-11-21T08:00:00Z").expect("good");
        assert_eq!((given.number("limit"), given.text("text"), given.flag("new")), (Some(7), Some("a bé"), true));
        assert_eq!(given.level(), Some(Level::Fragment));
        assert!(given.moment("since").is_some());
        // Every moment of RFC 3339 is one, also where no log can be from.
        for far in [
            "2788-10-15T14:09:46%2B06:04",
            "1821-10-05T07:45:36.13Z",
            "0000-06-18T09:37:51Z",
            "9999-12-31T23:59:59-09:00",
        ] {
            assert!(query(&format!("text=x&since={far}")).expect(far).moment("since").is_some(), "{far}");
        }
        assert_eq!(query("text=x+y").expect("good").text("text"), Some("x y"));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_refused_by_name() {
        for (bad, word) in [
            ("limit=0&text=x", "limit"),
            ("limit=11&text=x", "limit"),
            ("limit=seven&text=x", "limit"),
            ("limit=-1&text=x", "limit"),
            ("limit=1&limit=2&text=x", "limit"),
            ("text=toolong", "text"),
            ("text=%20", "text"),
            ("", "text"),
            ("text=x&level=none", "level"),
            ("text=x&since=5", "since"),
            ("text=x&new=yes", "new"),
            ("text=x&other=1", "other"),
            ("text=%zz", "hex"),
            ("text=%ff", "UTF-8"),
            ("text=%c3%", "hex"),
        ] {
            let fault = query(bad).expect_err(bad);
            assert_eq!(fault.status, 422, "{bad}");
            assert!(fault.message.contains(word), "{bad}: {}", fault.message);
        }
        for bad in [
            "",
            "[]",
            "7",
            "{\"text\":7}",
            "{\"text\":\"x\",\"limit\":1.5}",
            "{\"text\":\"x\",\"limit\":-1}",
            "{\"text\":\"x\",\"new\":\"true\"}",
            "{\"text\":null}",
        ] {
            assert_eq!(Given::default().body(PARAMS, &[], bad.as_bytes()).expect_err(bad).status, 422, "{bad}");
        }
    }

    #[test]
    fn the_words_are_those_of_the_types() {
        assert!(LEVELS.iter().all(|word| word.parse::<Level>().is_ok()));
        assert_eq!(RUNGS, Rung::ALL.map(Rung::word));
        assert_eq!(DISPOSITIONS, Disposition::ALL.map(Disposition::word));
        assert_eq!(KINDS, registry::Kind::ALL.map(registry::Kind::word));
    }
}
