//! Families as CSV for a spreadsheet: `families.csv`, one family a line.
//!
//! Numbers stand bare and texts in quotes. Text from a log is on one line, without control characters, and never starts a
//! formula ([`csv_cell`]); the price is an apostrophe before a template that begins with `=`, so a program should
//! read `report.json` instead. Guaranteed: the file parses back to as many fields as its header has, on every line.

use super::escape::{clip, csv_cell};
use super::{EXAMPLE_CHARS, Family, Report};
use ::csv::{QuoteStyle, WriterBuilder};

/// The header of `families.csv`.
pub const HEADER: [&str; 14] = [
    "list",
    "family_id",
    "level",
    "within",
    "accounts",
    "requests",
    "distinct_prompts",
    "new_accounts",
    "new_account_share",
    "first_seen",
    "last_seen",
    "slots",
    "example",
    "template",
];

/// Characters of a template; a spreadsheet's cell holds no more than 32,767.
const TEMPLATE_CHARS: usize = 2_000;

/// The families of a report: the ranked ones, then the trivial ones, those of system prompts and the known ones, as `list` says.
#[must_use]
pub fn write(report: &Report) -> String {
    lists(&[
        ("ranked", &report.families),
        ("trivial", &report.trivial_families),
        ("system", &report.system_families),
        ("known", &report.known_families),
    ])
}

/// Families of one list, in the same columns.
#[must_use]
pub fn families(families: &[Family]) -> String {
    lists(&[("chosen", families)])
}

fn lists(lists: &[(&str, &[Family])]) -> String {
    let mut writer = WriterBuilder::new().quote_style(QuoteStyle::NonNumeric).from_writer(Vec::new());
    // Writing to memory records of one length cannot fail, and a text of UTF-8 fields is UTF-8.
    let _ = writer.write_record(HEADER);
    for (list, families) in lists {
        for family in *families {
            let _ = writer.write_record(row(list, family));
        }
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// One line.
fn row(list: &str, family: &Family) -> [String; HEADER.len()] {
    [
        list.to_owned(),
        family.id.to_string(),
        family.level.word().to_owned(),
        family.within.map_or_else(String::new, |id| id.to_string()),
        family.accounts.to_string(),
        family.requests.to_string(),
        family.distinct_prompts.to_string(),
        family.new_accounts.to_string(),
        format!("{:.4}", family.new_account_share),
        family.first_seen.to_string(),
        family.last_seen.to_string(),
        family.slots.len().to_string(),
        csv_cell(&clip(family.example.as_deref().unwrap_or_default(), EXAMPLE_CHARS)),
        csv_cell(&clip(&family.template, TEMPLATE_CHARS)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn it_reads_back_with_one_line_a_family() {
        let mut report = sample();
        report.families[0].template = "=cmd|' /C calc'!A0\n\"quoted\", and; =more \u{202e}".into();
        report.families[0].example = Some("@SUM(1)".into());
        let report = report.finish();
        let text = write(&report);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().expect("a header"), HEADER.as_slice());
        let rows: Vec<::csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("every line parses");
        let lists = [&report.families, &report.trivial_families, &report.system_families, &report.known_families];
        assert_eq!(rows.len(), lists.map(Vec::len).into_iter().sum::<usize>());
        assert_eq!(text.lines().count(), rows.len() + 1, "no cell breaks a line");
        assert_eq!(&rows[0][13], "'=cmd|' /C calc'!A0⏎\"quoted\", and; '=more \\u{202e}");
        assert_eq!(&rows[0][12], "'@SUM(1)");
        for (row, family) in rows.iter().zip(&report.families) {
            assert_eq!(row[1].parse(), Ok(family.id));
            assert_eq!(row[4].parse(), Ok(family.accounts));
        }
    }
}
