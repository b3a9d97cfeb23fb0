//! Python's own notation of values (`repr`) in logs → JSON values: lists of messages that a table was written with, arguments of a call that an
//! engine logged.
//!
//! A text in it says by its own quotes where it ends, so what is read forward from the beginning cannot be forged by what a text spells.
//! Lists need no commas, since numpy writes none. Weakness: a value that is no literal (an object, a time) becomes its text. Guarantee: at most
//! 64 levels and 2²⁰ values, linear time, any text gives a value or none.

use serde_json::{Map, Number, Value};

const LEVELS: u32 = 64;
const VALUES: usize = 1 << 20;

/// The value of a text that is one literal and nothing else.
pub(crate) fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { text, at: 0, values: 0 };
    let value = reader.value(0)?;
    reader.blank();
    (reader.at == text.len()).then_some(value)
}

/// The text literal at the start of a text.
pub(crate) fn text(text: &str) -> Option<String> {
    Reader { text, at: 0, values: 0 }.text()
}

/// The named arguments of a call, from behind its opening bracket on, each as it is written, and what stands after the closing one.
pub(crate) fn arguments(text: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let bytes = text.as_bytes();
    let (mut depth, mut at, mut start, mut found) = (0u32, 0, 0, Vec::new());
    let named = |part: &'_ str| part.split_once('=').map(|(name, value)| (name.len(), value.len()));
    let mut put = |from: usize, to: usize| {
        if let Some((name, value)) = named(&text[from..to]) {
            found.push((text[from..from + name].trim(), text[to - value..to].trim()));
        }
    };
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                at = end_of_text(bytes, at)?;
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                put(start, at);
                return Some((found, &text[at + 1..]));
            }
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                put(start, at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the text literal that opens at `at` has ended.
fn end_of_text(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes this character, where it is the next that is no blank.
    fn take(&mut self, wanted: char) -> bool {
        self.blank();
        let is = self.rest().starts_with(wanted);
        self.at += if is { wanted.len_utf8() } else { 0 };
        is
    }

    fn value(&mut self, level: u32) -> Option<Value> {
        self.values += 1;
        if level > LEVELS || self.values > VALUES {
            return None;
        }
        self.blank();
        match self.rest().chars().next()? {
            '\'' | '"' => self.text().map(Value::String),
            '[' => self.items(']', level).map(Value::Array),
            '(' => self.items(')', level).map(Value::Array),
            '{' => self.fields(level).map(Value::Object),
            _ => self.word(level),
        }
    }

    fn items(&mut self, end: char, level: u32) -> Option<Vec<Value>> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.value(level + 1)?);
            self.take(',');
        }
        Some(items)
    }

    fn fields(&mut self, level: u32) -> Option<Map<String, Value>> {
        self.at += 1;
        let mut fields = Map::new();
        while !self.take('}') {
            let name = match self.value(level + 1)? {
                Value::String(name) => name,
                other => other.to_string(),
            };
            if !self.take(':') {
                return None;
            }
            fields.insert(name, self.value(level + 1)?);
            self.take(',');
        }
        Some(fields)
    }

    /// A number, a constant, an array of numpy, or anything else as its text.
    fn word(&mut self, level: u32) -> Option<Value> {
        let rest = self.rest();
        let len = rest.find(|c: char| c.is_whitespace() || ",:()[]{}'\"".contains(c)).unwrap_or(rest.len());
        let (word, from) = (rest.get(..len).filter(|word| !word.is_empty())?.to_owned(), self.at);
        self.at += len;
        if self.rest().starts_with('(') {
            if word == "array" {
                return Some(self.items(')', level)?.into_iter().next().unwrap_or(Value::Null));
            }
            let (_, after) = arguments(&self.rest()[1..])?;
            let after = after.len();
            self.at = self.text.len() - after;
            return Some(Value::String(self.text[from..self.at].to_owned()));
        }
        Some(match word.as_str() {
            "None" | "nan" | "NaN" => Value::Null,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            number => match (number.parse::<i64>(), number.parse::<f64>().ok().and_then(Number::from_f64)) {
                (Ok(whole), _) => Value::from(whole),
                (_, Some(other)) => Value::Number(other),
                _ => Value::String(word),
            },
        })
    }

    fn text(&mut self) -> Option<String> {
        let mut chars = self.rest().chars();
        let quote = chars.next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let mut out = String::new();
        loop {
            match chars.next()? {
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    escape @ ('x' | 'u' | 'U') => {
                        let n = match escape {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let digits: String = chars.by_ref().take(n).collect();
                        out.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
                    }
                    other => out.push(other),
                },
                end if end == quote => {
                    self.at = self.text.len() - chars.as_str().len();
                    return Some(out);
                }
                other => out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_are_what_python_wrote() {
        for (text, expected) in [
            ("'it\\'s \\u00e9\\n\\x41'", json!("it's é\nA")),
            ("[{'a': 1, \"b\": [None, True, -2.5]}, ()]", json!([{"a": 1, "b": [null, true, -2.5]}, []])),
            ("[{'role': 'user'}\n {'role': 'tool'}]", json!([{"role": "user"}, {"role": "tool"}])),
            ("array([{'x': 'y'}], dtype=object)", json!([{"x": "y"}])),
            ("{'t': datetime.datetime(2026, 1, 2), 1: nan}", json!({"t": "datetime.datetime(2026, 1, 2)", "1": null})),
        ] {
            assert_eq!(literal(text), Some(expected), "{text}");
        }
        let deep = "[".repeat(100_000);
        for text in ["", "'open", "[1", "{'a'}", "'a' 'b'", "[}", "x = 1", "'\\", "f(", deep.as_str()] {
            assert_eq!(literal(text), None, "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn arguments_end_where_the_call_does() {
        let (found, rest) = arguments("rid='a', text='x), out={\\'y', n=[1, (2)]), out={}").unwrap();
        assert_eq!(found, [("rid", "'a'"), ("text", "'x), out={\\'y'"), ("n", "[1, (2)]")]);
        assert_eq!(rest, ", out={}");
        assert!(arguments("a='open").is_none() && arguments("a=1").is_none() && arguments("a=]").is_none());
    }
}
