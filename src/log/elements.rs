//! JSON that is no lines: the elements of arrays, and values one after another over any number of lines, found as the stream passes.
//!
//! A machine of a few bytes follows strings and brackets, so an array of any length is cut into its elements without being held: a row is what
//! stands between the brackets and commas of the outermost array, or a value that stands outside any. Several arrays may follow one another.
//! The cut is lenient: a comma too many or too few costs nothing, and a broken element is a bad row of its own.
//!
//! Weakness: an element whose brackets or quotes do not close swallows those after it, up to the longest row. Guarantee: constant memory.

use super::frame::Boundary;

/// Cuts a stream of JSON values.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    /// Inside the outermost array.
    in_array: bool,
    /// Brackets open in the current value.
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// A value has begun.
    begun: bool,
    /// The last row was a bracket or comma between values.
    between: bool,
}

impl Boundary for Elements {
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_text {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                } else if byte == b'"' {
                    self.in_text = false;
                    if self.depth == 0 {
                        return self.ended(at + 1);
                    }
                }
                continue;
            }
            if self.depth > 0 {
                match byte {
                    b'"' => self.in_text = true,
                    b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return self.ended(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                // A bare word or number ends where something else begins; that byte is looked at again.
                b',' | b'[' | b']' | b'{' | b'"' | b'\n' if self.begun => {
                    return self.ended(at);
                }
                b'[' if !self.in_array => {
                    self.in_array = true;
                    return self.mark(at);
                }
                b']' if self.in_array => {
                    self.in_array = false;
                    return self.mark(at);
                }
                b',' => return self.mark(at),
                b'{' | b'[' => (self.begun, self.depth) = (true, 1),
                b'"' => (self.begun, self.in_text) = (true, true),
                _ if byte.is_ascii_whitespace() => {}
                _ => self.begun = true,
            }
        }
        None
    }

    fn is_row(&self) -> bool {
        !self.between
    }

    fn counts_rows(&self) -> bool {
        true
    }

    fn unclosed(&self) -> Option<&'static str> {
        self.in_array.then_some("expected the array's closing bracket, got the end of the input")
    }
}

impl Elements {
    fn ended(&mut self, at: usize) -> Option<usize> {
        (self.begun, self.between) = (false, false);
        Some(at)
    }

    /// A bracket or comma between values, with the blanks before it.
    fn mark(&mut self, at: usize) -> Option<usize> {
        (self.begun, self.between) = (false, true);
        Some(at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rows of a text that comes in pieces of `step` bytes.
    fn cut(text: &str, step: usize) -> Vec<String> {
        let mut elements = Elements::default();
        let (mut rows, mut row) = (Vec::new(), Vec::new());
        for chunk in text.as_bytes().chunks(step) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let end = elements.end(rest);
                let (piece, more) = rest.split_at(end.unwrap_or(rest.len()));
                row.extend_from_slice(piece);
                rest = more;
                if end.is_some() {
                    let whole = String::from_utf8(std::mem::take(&mut row)).unwrap();
                    if elements.is_row() {
                        rows.push(whole.trim().to_owned());
                    }
                }
            }
        }
        let last = String::from_utf8(row).unwrap().trim().to_owned();
        rows.extend(Some(last).filter(|row| !row.is_empty()));
        rows
    }

    #[test]
    fn arrays_are_cut_into_their_elements() {
        for (text, expected) in [
            ("[]", vec![]),
            (" [ ] \n", vec![]),
            (r#"[{"a":[1,"]}\\\""]},{"b":{}}]"#, vec![r#"{"a":[1,"]}\\\""]}"#, r#"{"b":{}}"#]),
            ("[1, 2,\"x,y\" ,null,[3,[4]]]", vec!["1", "2", "\"x,y\"", "null", "[3,[4]]"]),
            ("[{\n\"a\": 1\n}\n,\n{}\n]\n[{\"c\":2}]", vec!["{\n\"a\": 1\n}", "{}", "{\"c\":2}"]),
            ("{\n\"a\": 1\n}\n{\n\"b\": 2\n}", vec!["{\n\"a\": 1\n}", "{\n\"b\": 2\n}"]),
            ("[{}{},,{}", vec!["{}", "{}", "{}"]),
            ("[{\"a\": \"open", vec!["{\"a\": \"open"]),
            ("[tru{}]", vec!["tru", "{}"]),
        ] {
            for step in [1, 2, 3, 100] {
                assert_eq!(cut(text, step), expected, "{text} in steps of {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_array_is_cut_as_serde_reads_it(texts in proptest::collection::vec("[a-c\"\\\\\\[\\]{},é]{0,12}", 0..12), pretty: bool, step in 1usize..9) {
            let values: Vec<serde_json::Value> =
                texts.iter().enumerate().map(|(i, text)| serde_json::json!({"n": i, "t": text, "l": [text, {"x": []}]})).collect();
            let array = serde_json::Value::Array(values.clone());
            let text = if pretty { serde_json::to_string_pretty(&array).unwrap() } else { array.to_string() };
            let rows: Vec<serde_json::Value> = cut(&text, step).iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            prop_assert_eq!(rows, values);
        }
    }
}
