//! Text from a log, made safe to look at: on a page, in Markdown, on a terminal, in a spreadsheet.
//!
//! Whoever writes a prompt writes for the person who will read this report: a script for the browser, an escape sequence for
//! the terminal, a formula for the spreadsheet, a right-to-left override for the eye. One walk over the text decides which
//! characters are shown as themselves and which by their number (`\u{202e}`); each medium adds its own quoting.
//!
//! Weakness: look-alike letters are shown as they are (naming them is the fold's work), and text that really contains the
//! nine characters `\u{202e}` looks like the escape; the JSON keeps the difference. Guaranteed: linear time, and no output
//! contains a control character (but for the line feeds and tabs that a caller asks to keep), a control of writing direction,
//! or any other invisible character that could change how its neighbours look.

use std::fmt::Write as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Combining marks in a row that are shown: biblical Hebrew and Tibetan stay under it, stacks that climb over other lines
/// do not.
const MOST_MARKS: usize = 4;

/// How one piece of a text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As itself.
    Plain(char),
    /// By its number.
    Number(char),
    /// So many further combining marks, left out.
    Marks(usize),
}

/// Calls `each` with how every character of `text` is shown, in order. Line feeds and tabs come as themselves.
pub(crate) fn walk(text: &str, mut each: impl FnMut(Shown)) {
    let (mut marks, mut before) = (0, ' ');
    for c in text.chars() {
        if matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
            && !is_hidden(c, before)
        {
            marks += 1;
            if marks <= MOST_MARKS {
                each(Shown::Plain(c));
            }
        } else {
            if marks > MOST_MARKS {
                each(Shown::Marks(marks - MOST_MARKS));
            }
            marks = 0;
            each(if is_hidden(c, before) { Shown::Number(c) } else { Shown::Plain(c) });
        }
        before = c;
    }
    if marks > MOST_MARKS {
        each(Shown::Marks(marks - MOST_MARKS));
    }
}

/// Whether `c`, after `before`, is to be shown by its number: it cannot be seen, or it changes how others are seen.
fn is_hidden(c: char, before: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Joiners are part of the spelling of Persian and of Indic scripts, and of emoji, and so are variation selectors;
        // after an ASCII character, or after one another, they have nothing to do.
        '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => {
            before.is_ascii() || matches!(before, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
        }
        // Invisible though their category is that of letters or marks: fillers, the grapheme joiner, Mongolian selectors,
        // the braille blank, and the plane of tags and further selectors.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ if c as u32 & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => true,
        _ => matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
        ),
    }
}

/// Writes `shown` in words of ASCII where it is not a plain character.
fn write_shown(shown: Shown, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match shown {
        Shown::Plain(c) => {
            out.push(c);
            Ok(())
        }
        Shown::Number(c) => write!(out, "\\u{{{:x}}}", c as u32),
        Shown::Marks(n) => write!(out, "(+{n} marks)"),
    };
}

/// For an HTML text or a quoted attribute. Line feeds and tabs stay.
///
/// # Example
/// ```
/// assert_eq!(stillhunt::report::escape::html("<b>\u{202e}&"), "&lt;b&gt;\\u{202e}&amp;");
/// ```
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    walk(text, |shown| match shown {
        Shown::Plain(c) => push_html(c, &mut out),
        other => write_shown(other, &mut out),
    });
    out
}

/// Adds one character to an HTML text.
pub(crate) fn push_html(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        _ => out.push(c),
    }
}

/// For a cell of a Markdown table, or anywhere inside a line: no markup, no link, no line break (shown as ⏎).
///
/// # Example
/// ```
/// assert_eq!(stillhunt::report::escape::markdown("a|b\n<i> www.x.org"), r"a\|b⏎&lt;i&gt; www\.x.org");
/// ```
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = '\n';
    walk(text, |shown| {
        let Shown::Plain(c) = shown else {
            out.push('\\');
            write_shown(shown, &mut out);
            before = '}';
            return;
        };
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push('⏎'),
            '\t' => out.push(' '),
            // The colon and the full stop only matter in bare links, the others wherever they stand.
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | ':' | '@' | '#' | '!' => out.extend(['\\', c]),
            '.' if matches!(before, 'w' | 'W') || before.is_ascii_digit() => out.extend(['\\', c]),
            '-' | '+' | '=' | ')' if before == '\n' || before.is_ascii_digit() => out.extend(['\\', c]),
            _ => out.push(c),
        }
        before = c;
    });
    out
}

/// What [`terminal`] does with a line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Keeps it, and tabs too.
    Keep,
    /// Shows it as ⏎ and a tab as a space, so that the text stays on one line.
    Join,
}

/// For a terminal: escape sequences, controls and writing direction lose their effect and are seen.
///
/// # Example
/// ```
/// use stillhunt::report::escape::{Lines, terminal};
/// assert_eq!(terminal("\u{1b}[2Jgone\nor not", Lines::Join), "\\u{1b}[2Jgone⏎or not");
/// ```
#[must_use]
pub fn terminal(text: &str, lines: Lines) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    walk(text, |shown| match (shown, lines) {
        (Shown::Plain('\n'), Lines::Join) => out.push('⏎'),
        (Shown::Plain('\t'), Lines::Join) => out.push(' '),
        (other, _) => write_shown(other, &mut out),
    });
    out
}

/// For a cell of a CSV file that somebody opens in a spreadsheet: on one line, without controls, and never a formula. A cell
/// that would start one (after white space, or after a semicolon where that parts cells) gets an apostrophe before it.
///
/// # Example
/// ```
/// assert_eq!(stillhunt::report::escape::csv_cell("=cmd()"), "'=cmd()");
/// assert_eq!(stillhunt::report::escape::csv_cell("a = b"), "a = b");
/// ```
#[must_use]
pub fn csv_cell(text: &str) -> String {
    let line = terminal(text, Lines::Join);
    let mut out = String::with_capacity(line.len() + 8);
    let mut starts = true;
    for c in line.chars() {
        if starts && matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') {
            out.push('\'');
        }
        starts = c == ';' || starts && (c.is_whitespace() || c == '⏎' || c == '"');
        out.push(c);
    }
    out
}

/// `text` in at most `max_chars` characters; a longer one ends in `… (+n characters)`.
///
/// # Example
/// ```
/// use stillhunt::report::escape::clip;
/// assert_eq!(clip("short", 24), "short");
/// assert_eq!(clip(&"long ".repeat(10), 24), "long l… (+44 characters)");
/// ```
#[must_use]
pub fn clip(text: &str, max_chars: usize) -> String {
    let mut text = text.to_owned();
    clip_in_place(&mut text, max_chars);
    text
}

/// [`clip`] without a copy of what fits.
pub(crate) fn clip_in_place(text: &mut String, max_chars: usize) {
    // A text of so few bytes cannot have more characters: the usual case needs no count.
    if text.len() <= max_chars {
        return;
    }
    let total = text.chars().count();
    if total <= max_chars {
        return;
    }
    // The ending's length depends on the number in it; counting the number at its largest settles it.
    let room = max_chars.saturating_sub(format!("… (+{total} characters)").chars().count());
    if room == 0 {
        truncate_chars(text, max_chars.saturating_sub(1));
        text.extend((max_chars > 0).then_some('…'));
    } else {
        truncate_chars(text, room);
        let _ = write!(text, "… (+{} characters)", total - room);
    }
}

/// Keeps the first `n` characters.
fn truncate_chars(text: &mut String, n: usize) {
    if let Some((end, _)) = text.char_indices().nth(n) {
        text.truncate(end);
    }
}

/// A number with a space between its thousands: `12 345` (a narrow no-break space, so that it never parts at a line's end).
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Texts that lean towards what could do harm.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[ -~]{0,8}",
            proptest::sample::select(vec![
                "<script>",
                "\u{202e}",
                "\u{1b}]0;x\u{7}",
                "\0",
                "=cmd()",
                ";=1",
                "|",
                "\n",
                "\r",
                "\u{9b}",
                "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
                "`",
                "\u{2066}",
                "\u{e0041}",
                "\u{feff}",
                "\u{2028}",
                "\t",
                "www.",
                "http://",
                "\u{200d}",
                "'\"&",
            ])
            .prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn has_hidden(text: &str) -> bool {
        let direction = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
        text.chars().any(|c| {
            (c.is_control() && c != '\n' && c != '\t')
                || direction(c)
                || matches!(c, '\u{e0000}'..='\u{e007f}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
        })
    }

    /// The same cases on every run, and no file of failures beside the sources.
    fn config() -> ProptestConfig {
        ProptestConfig { rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn html_has_no_markup(text in hostile()) {
            let out = html(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'']) && !has_hidden(&out), "{out:?}");
            // Every ampersand begins one of our own references.
            for (at, _) in out.match_indices('&') {
                prop_assert!(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|r| out[at..].starts_with(r)));
            }
        }

        #[test]
        fn html_of_plain_text_reads_back(text in "[ -~\n]{0,80}") {
            let back = html(&text).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }

        #[test]
        fn a_terminal_gets_no_controls(text in hostile()) {
            let one = terminal(&text, Lines::Join);
            prop_assert!(!has_hidden(&one) && !one.contains(['\n', '\t']), "{one:?}");
            let many = terminal(&text, Lines::Keep);
            prop_assert!(!has_hidden(&many));
            prop_assert_eq!(many.matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn a_markdown_cell_stays_a_cell(text in hostile()) {
            let out = markdown(&text);
            prop_assert!(!has_hidden(&out) && !out.contains(['\n', '\t', '<', '>']), "{out:?}");
            // Each character that could open markup is escaped: what is left after removing pairs has none.
            let mut rest = String::new();
            let mut chars = out.chars();
            while let Some(c) = chars.next() {
                if c == '\\' { let next = chars.next(); prop_assert!(next.is_some()); rest.push('·'); } else { rest.push(c); }
            }
            prop_assert!(!rest.contains(['|', '`', '*', '_', '[', ']', '~', '$', ':', '@']) && !rest.contains("www."), "{out:?}");
        }

        #[test]
        fn a_csv_cell_is_no_formula(text in hostile()) {
            let out = csv_cell(&text);
            prop_assert!(!has_hidden(&out) && !out.contains(['\n', '\t']));
            for cell in out.split(';') {
                let first = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '⏎' || c == '"').chars().next();
                prop_assert!(!matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')), "{out:?}");
            }
        }

        #[test]
        fn clipping_keeps_the_bound_and_is_stable(text in hostile(), max in 0usize..60) {
            let once = clip(&text, max);
            prop_assert!(once.chars().count() <= max);
            prop_assert_eq!(clip(&once, max), once.clone());
            if text.chars().count() <= max { prop_assert_eq!(once, text); } else if max > 0 { prop_assert!(once.contains('…')); }
        }
    }

    #[test]
    fn spelling_that_needs_joiners_stays_readable() {
        for text in ["می‌خواهم", "क्‍ष", "👩‍💻", "❤️", "שָׁלוֹם", "naïve café", "中文，测试", "tab\there"]
        {
            assert_eq!(terminal(text, Lines::Keep), text);
        }
        assert_eq!(terminal("pass\u{200d}word\u{fe0f}", Lines::Keep), "pass\\u{200d}word\\u{fe0f}");
        assert_eq!(
            terminal("❤\u{fe0f}\u{fe0f}", Lines::Keep),
            "❤\u{fe0f}\\u{fe0f}",
            "a second selector carries data, not style"
        );
    }

    #[test]
    fn stacked_marks_are_counted() {
        let zalgo = format!("z{}!", "\u{335}".repeat(30));
        assert_eq!(terminal(&zalgo, Lines::Join), format!("z{}(+26 marks)!", "\u{335}".repeat(4)));
    }

    #[test]
    fn numbers_are_grouped() {
        let grouped = |n| grouped(n).replace('\u{202f}', " ");
        assert_eq!([grouped(7), grouped(1_000), grouped(12_345_678)], ["7", "1 000", "12 345 678"]);
    }
}
