//! The readable report of a bundle, as HTML and as Markdown: what was tested, under which null, out of how many tests, with which controls, and what
//! else could explain it.
//!
//! Both forms are drawn from one list of blocks, so that they say the same. Numbers are copied from the results digit by digit. What comes from a
//! result is escaped for each medium and bounded. Words for the strength of evidence are those of the ENFSI guideline (2015), for an e-value, which is
//! at most a likelihood ratio on average; of a p-value it is ½ p^(−½) (Vovk and Wang 2021), which understates. Weakness: a result of a kind that
//! this program does not know is only listed. Guarantee: no sentence states a probability of guilt.

use super::bundle::{CustodyHead, KeyCommitment, ResultRecipe};
use super::json::Json;
use crate::ids::Time;
use crate::report::escape;
use crate::report::ring::verbal;
use crate::stats::ln_e_of_p;
use std::fmt::Write as _;

/// What a report is drawn from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Results with their names.
    pub results: &'a [(String, Json)],
    /// How each was made.
    pub recipes: &'a [ResultRecipe],
    /// Keys that took part.
    pub keys: &'a [KeyCommitment],
    /// Accounts that the results name.
    pub accounts: usize,
    /// Where the chain of custody stood.
    pub custody: Option<&'a CustodyHead>,
    /// When the bundle was made.
    pub made: Time,
    /// The name of the signing key.
    pub key_id: &'a str,
}

/// A piece of the report.
#[derive(Debug)]
enum Block {
    Title(String),
    Heading(String),
    Small(String),
    Text(String),
    List(Vec<String>),
    Table(Vec<&'static str>, Vec<Vec<String>>),
    Code(&'static str),
}

use Block::{Code, Heading, List, Small, Table, Text, Title};

/// What a word beside a test means.
const SCALE: &str = "The words are those of the ENFSI scale, read at the e-value ½ p^(−½) of the adjusted p. Under the null an e-value reaches x with a \
    probability of at most 1/x. It understates a small p, and it is no ratio of likelihoods against a named alternative.";

/// Rows of a table, characters of a cell.
const MOST: [usize; 2] = [200, 300];

/// What is known of a kind of result beside its numbers.
struct Kind {
    name: &'static str,
    null: &'static str,
    controls: &'static str,
    sensitivity: &'static str,
    limits: &'static [&'static str],
    alternatives: &'static [&'static str],
}

const WATERMARK: Kind = Kind {
    name: "Watermark tests of a text",
    null: "The tokens were chosen without knowledge of the key or of text marked with it. Probabilities are over the draw of the key.",
    controls: "Decoy keys, which were never used, are tested on the same windows. Their p-values must be uniform; the result says how well they are. A rank among n decoys is at least 1/(n + 1) and proves nothing by itself.",
    sensitivity: "The column \"power\" is the chance with which a mark of the stated strength would have been found in this much text. A verdict other than Marked without that power says nothing.",
    limits: &[
        "A verdict other than Marked does not show that the text is free of the mark: paraphrase, translation, dilution and other keys hide it.",
        "Each distinct window counts once. What was masked, and why, stands in the result.",
    ],
    alternatives: &[
        "Whoever can query the marked model can copy its text, or forge the mark.",
        "The text may contain answers of the marked model that somebody published.",
        "The key may have leaked, or may be a library's default. Ask for the commitment and for when it was published.",
    ],
};

const RADIOACTIVITY: Kind = Kind {
    name: "Tests of a model for traces of marked training text",
    null: "The suspect model's choices in the served contexts do not depend on the key. Probabilities are over the draw of the key.",
    controls: "Decoy keys on the same contexts, and controls under the true key: the suspect's own tokens dealt to other contexts and, where it was given, text of people or of a model that never saw the served text. A result without a control that could have shown what the suspect shows is Inconclusive.",
    sensitivity: "How many units were scored stands beside each test. Few of them cannot show a small share of training text.",
    limits: &[
        "A verdict other than Marked does not show that the model was not trained on the text: dilution, paraphrase and later training hide it.",
        "The test says that the model learned from marked text. It does not say who collected the text, or how.",
    ],
    alternatives: &[
        "The model may have learned from marked answers that somebody else published.",
        "The model may share a teacher, or training data, with one that learned from marked text.",
        "The outputs that were tested may be copied or forged text and not the model's own. Whoever has answers that bear the mark can learn to forge it in their contexts; that leaves the traces of a student.",
    ],
};

const ATTRIBUTION: Kind = Kind {
    name: "Attribution to rings",
    null: "The suspect model's choices in the contexts that were served to one ring alone do not depend on the key.",
    controls: "Decoy rings of as many windows (or fewer, where there are not so many; the result says how many) of honest accounts, or of contexts that the ring never had, are tested in the same way; the empirical p of n of them is at least 1/(n + 1).",
    sensitivity: "How many contexts are exclusive to a ring stands beside it. A ring with few of them cannot be named.",
    limits: &["A ring that is not named is not cleared.", "Attribution names a harvest and not a person."],
    alternatives: &[
        "The harvest may have been sold or leaked to whoever trained the model.",
        "Two rings may have asked the same things of a third party's list.",
    ],
};

const RINGS: Kind = Kind {
    name: "Rings of accounts",
    null: "Accounts choose families of text independently of each other, given how active they are, how popular the families are and what they asked before. Unexplained innocent affinity multiplies an account's odds by at most φ0.",
    controls: "Placebo walks: who chose what is dealt anew, so that all coordination is gone, and the same program looks for rings.",
    sensitivity: "A campaign of known strength is planted in a copy of the days; the result says how many of its accounts are listed. Γ* is the largest innocent affinity at which a ring is still confirmed.",
    limits: &[
        "A short list is no evidence that nothing happened: bought transcripts, rerouted users and prompts that are rewritten for each account are not seen.",
        "Of the members of a list of level 1% one in a hundred is expected to be false.",
        "Whoever makes an innocent account send a ring's texts can have it listed.",
    ],
    alternatives: &[
        "A class, a course, an event or an agency can act together innocently.",
        "Customers of one app or gateway that is not registered can look alike.",
        "Monitoring and test systems send the same texts from many accounts.",
        "A popular prompt that many people copied on the same days.",
    ],
};

const OTHER: Kind = Kind {
    name: "A result of another kind",
    null: "This program does not know this kind of result; ask its maker for the null hypothesis.",
    controls: "Ask its maker.",
    sensitivity: "Ask its maker.",
    limits: &["Only the digest of this result is checked."],
    alternatives: &["Ask its maker."],
};

fn kind(value: &Json) -> &'static Kind {
    let first = |list: &str| value.at(list).and_then(|list| list.list().first());
    if value.at("rings_meta").is_some() {
        &RINGS
    } else if value.at("rings").is_some() {
        &ATTRIBUTION
    } else if value.at("tests").is_some() {
        &RADIOACTIVITY
    } else if first("results").is_some_and(|result| result.at("key_id").is_some()) {
        &WATERMARK
    } else {
        &OTHER
    }
}

/// A value as it stands in the result.
fn cell(value: Option<&Json>) -> String {
    match value {
        None => "not stated".into(),
        Some(Json::Text(text)) => escape::clip(text, MOST[1]),
        Some(Json::Atom(atom)) if atom == "null" => "none".into(),
        Some(Json::List(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" to "),
        Some(other) => other.shown(),
    }
}

fn cells(value: &Json, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| cell(name.split('.').try_fold(value, |value, part| value.at(part)))).collect()
}

/// What a test says in words: of a mark that was found, the scale's word for the e-value of its adjusted p.
fn words(test: &Json) -> String {
    let adjusted = test.at("adjusted_log10_p").and_then(Json::number).filter(|log10_p| *log10_p <= 0.0);
    let marked = test.at("verdict").and_then(Json::text) == Some("Marked");
    match adjusted.filter(|_| marked) {
        Some(log10_p) => {
            let log10_e = ln_e_of_p(log10_p * std::f64::consts::LN_10) / std::f64::consts::LN_10;
            format!("{} against the null", verbal(log10_e))
        }
        None => "none: the null is not excluded".into(),
    }
}

fn tests(value: &Json, list: &str, key: &'static str) -> Vec<Block> {
    let of = value.at(list).map(Json::list).unwrap_or_default();
    let mut columns = vec![
        key,
        "scheme",
        "scored",
        "statistic",
        "log10_p",
        "p_kind",
        "adjusted_log10_p",
        "m_tests",
        "decoys.n",
        if list == "tests" { "decoys.ks_p" } else { "decoys.uniformity_p" },
        "power",
        "verdict",
    ];
    // A test of a model is told with its set of served contexts.
    let with_set = list == "tests";
    if with_set {
        columns.insert(2, "set");
    }
    let row = |test: &Json| {
        let mut row = cells(test, &columns);
        row.push(words(test));
        row
    };
    let mut head = vec![
        key,
        "scheme",
        "scored",
        "statistic",
        "log10 p",
        "kind of p",
        "log10 p, adjusted",
        "tests adjusted for",
        "decoys",
        "p that the decoys are uniform",
        "power",
        "verdict",
        "in words",
    ];
    if with_set {
        head.insert(2, "set of contexts");
    }
    let rule = |test: &Json| test.at("rule").map(|rule| format!("{}: {}", cell(test.at(key)), cell(Some(rule))));
    let rules: Vec<String> = of.iter().take(MOST[0]).filter_map(rule).collect();
    let counted = of.iter().filter_map(|test| test.at("m_tests")).map(|m| cell(Some(m))).next();
    let mut out = vec![
        Small("Number of tests".into()),
        Text(format!(
            "Tests in this result: {}. Each p is adjusted for {} tests (Holm). Tests that somebody ran and that are in no result are not adjusted for.",
            of.len(),
            counted.unwrap_or_else(|| "a number that the result does not state of".into())
        )),
        Small("What was found".into()),
        Table(head, of.iter().take(MOST[0]).map(row).collect()),
        Text(SCALE.into()),
    ];
    if !rules.is_empty() {
        out.push(Text("The rule that gave each verdict:".into()));
        out.push(List(rules));
    }
    let told = |test: &Json| {
        let origin = test.at("origin").filter(|origin| origin.at("windows").is_some())?;
        let of = cells(origin, &["windows", "rate", "log10_p", "log10_p_learned"]);
        Some(format!(
            "{}: outside of all given sets {} windows at rate {}, log10 p {}; that contexts inside are marked more than those outside has log10 p {}",
            cell(test.at(key)),
            of[0],
            of[1],
            of[2],
            of[3]
        ))
    };
    let origins: Vec<String> = of.iter().take(MOST[0]).filter_map(told).collect();
    if !origins.is_empty() {
        out.push(Text("Who wrote the text. A small p outside says that the mark was not learned from the given sets alone: the text may be the marked model's own, or other marked text was learned as well. A small p of more inside than outside (copied runs left out) says that the mark was learned there, by a student or by a forger, who cannot be told from each other so:".into()));
        out.push(List(origins));
    }
    let note = |test: &Json, note: &Json| format!("{}: {}", cell(test.at(key)), cell(Some(note)));
    let notes = |test: &Json| {
        test.at("notes").map(Json::list).unwrap_or_default().iter().map(|of| note(test, of)).collect::<Vec<_>>()
    };
    let notes: Vec<String> = of.iter().take(MOST[0]).flat_map(notes).take(MOST[0]).collect();
    if !notes.is_empty() {
        out.push(Text("Notes:".into()));
        out.push(List(notes));
    }
    out
}

/// Where marks stand, where that was asked for.
fn places(value: &Json) -> Vec<Block> {
    let of = value.at("results").map(Json::list).unwrap_or_default();
    let mut out = Vec::new();
    for (test, places) in of.iter().filter_map(|test| Some((test, test.at("where")?))).take(MOST[0]) {
        let Some(list) = places.at("list").map(Json::list) else { continue };
        out.push(Small(format!("Where the mark of {} stands", cell(test.at("key_id")))));
        let facts = cells(places, &["named", "documents", "rule", "spans", "m_tests", "null_hypothesis", "method"]);
        out.push(Text(format!(
            "{} of {} documents are named ({}). {} spans were looked at; each p is adjusted for {} tests. Null hypothesis of each document: {}. The p-value is {}.",
            facts[0], facts[1], facts[2], facts[3], facts[4], facts[5], facts[6]
        )));
        if let Some(what) = places.at("posterior_is").and_then(Json::text) {
            out.push(Text(format!("Posterior: {}.", escape::clip(what, MOST[1]))));
        }
        let row = |document: &Json| {
            let mut row = cells(document, &["name", "named", "tokens", "log10_p", "adjusted_log10_p", "posterior"]);
            let best = document.at("spans").map(Json::list).and_then(<[Json]>::first);
            row.extend(
                ["tokens", "characters"].map(|name| best.map_or_else(|| "none".to_owned(), |best| cell(best.at(name)))),
            );
            row
        };
        out.push(Table(
            vec![
                "document",
                "named",
                "tokens",
                "log10 p",
                "log10 p, adjusted",
                "posterior",
                "best span, tokens",
                "best span, characters",
            ],
            list.iter().take(MOST[0]).map(row).collect(),
        ));
    }
    out
}

fn attribution(value: &Json) -> Vec<Block> {
    let of = value.at("rings").map(Json::list).unwrap_or_default();
    let columns = ["ring", "exclusive_contexts", "scored", "log10_p", "adjusted_log10_p", "decoys.rank_p", "verdict"];
    let row = |ring: &Json| {
        let mut row = cells(ring, &columns);
        row.push(words(ring));
        row
    };
    let head =
        vec!["ring", "exclusive contexts", "scored", "log10 p", "log10 p, adjusted", "rank p", "verdict", "in words"];
    let decoys = value.at("decoys").map(|decoys| cells(decoys, &["n", "rank_p"])).unwrap_or_default();
    vec![
        Small("Number of tests".into()),
        Text(format!(
            "{} rings were tested; each p is adjusted for all of them (Holm). Decoy rings and the rank among them: {}.",
            of.len(),
            decoys.join(", ")
        )),
        Small("What was found".into()),
        Table(head, of.iter().take(MOST[0]).map(row).collect()),
        Text(SCALE.into()),
    ]
}

fn rings(value: &Json) -> Vec<Block> {
    let of = value.at("rings").map(Json::list).unwrap_or_default();
    let number =
        |name: &str| cell(name.split('.').try_fold(value.at("rings_meta").unwrap_or(value), |of, part| of.at(part)));
    let columns =
        ["id", "route", "rung", "accounts", "requests", "gamma_star", "log10_e", "first_proposed", "confirmed_night"];
    let head = vec!["ring", "route", "rung", "accounts", "requests", "Γ*", "log10 E", "proposed", "confirmed"];
    let mut out = vec![
        Small("Number of tests".into()),
        Text(format!(
            "{} groups were proposed, each tested only by text that did not propose it (of later days, or of the other half of that day); {} are under test. e-BH over all groups proposed on a day: at most a share of {} of those confirmed is expected to be false. Innocent affinity up to φ0 = {} is allowed for.",
            number("proposed"),
            number("tested"),
            number("q"),
            number("phi0")
        )),
        Text(format!(
            "Placebo: {} walks confirmed {} of {} groups (upper end of the 95% interval of the share: {}); one in which accounts are late confirmed {} of {}. Planted beside: {} of {} accounts are listed. The list is valid: {} {}",
            number("placebo.runs"),
            number("placebo.rejected"),
            number("placebo.tested"),
            number("placebo.upper"),
            number("placebo.late.rejected"),
            number("placebo.late.tested"),
            number("planted.found"),
            number("planted.accounts"),
            number("valid"),
            number("why")
        )),
        Small("What was found".into()),
        Table(head, of.iter().take(MOST[0]).map(|ring| cells(ring, &columns)).collect()),
    ];
    for ring in of.iter().take(MOST[0]) {
        let id = cell(ring.at("id"));
        if let Some(Json::Map(streams)) = ring.at("streams") {
            let row = |(stream, log10_e): &(String, Json)| match log10_e.number() {
                Some(e) => vec![stream.clone(), cell(Some(log10_e)), verbal(e).to_owned()],
                None => vec![stream.clone(), "none".into(), "not asked, or the log does not say".into()],
            };
            out.push(Small(format!("{id}: streams of evidence, each by itself")));
            out.push(Table(vec!["stream", "log10 E", "in words"], streams.iter().map(row).collect()));
        }
        let answers = ring.at("provenance").map(Json::list).unwrap_or_default();
        if !answers.is_empty() {
            out.push(Small(format!("{id}: innocent explanations that were tested")));
            let row = |answer: &Json| {
                let explains = match answer.at("explains") {
                    Some(Json::Atom(atom)) if atom == "true" => "explains it",
                    Some(Json::Atom(atom)) if atom == "false" => "does not explain it",
                    _ => "not tested",
                };
                vec![cell(answer.at("explanation")), explains.into(), cell(answer.at("found"))]
            };
            out.push(Table(vec!["explanation", "answer", "what was found"], answers.iter().map(row).collect()));
        }
    }
    out.push(Text("A word says: what was observed is at least so many times more probable under coordination as modelled than under independent choice with affinity up to φ0. Streams are never combined.".into()));
    out
}

fn blocks(facts: &Facts<'_>) -> Vec<Block> {
    let mut out = vec![
        Title("Evidence bundle".into()),
        Text(format!(
            "Made {} by the holder of the key {}, with stillhunt {}. This report says what was tested, what was observed, and how improbable that is under a stated null hypothesis. It does not state a probability of guilt, and nothing in it is one: that depends on everything else that is known, which is for others to weigh.",
            facts.made,
            facts.key_id,
            env!("CARGO_PKG_VERSION")
        )),
    ];
    for (name, value) in facts.results {
        let kind = kind(value);
        out.push(Heading(format!("{} ({name})", kind.name)));
        out.push(Small("Null hypothesis".into()));
        let stated = value.at("statements").and_then(|stated| stated.at("null_hypothesis")).and_then(Json::text);
        out.push(Text(stated.map_or_else(|| kind.null.to_owned(), |text| escape::clip(text, 2000))));
        out.extend(match kind.name {
            name if name == WATERMARK.name => {
                let mut blocks = tests(value, "results", "key_id");
                blocks.extend(places(value));
                blocks
            }
            name if name == RADIOACTIVITY.name => tests(value, "tests", "key"),
            name if name == ATTRIBUTION.name => attribution(value),
            name if name == RINGS.name => rings(value),
            _ => Vec::new(),
        });
        out.push(Small("Controls".into()));
        out.push(Text(kind.controls.into()));
        out.push(Small("Sensitivity".into()));
        out.push(Text(kind.sensitivity.into()));
        out.push(Small("Limits".into()));
        out.push(List(kind.limits.iter().map(|text| (*text).to_owned()).collect()));
        out.push(Small("Alternative explanations".into()));
        out.push(List(kind.alternatives.iter().map(|text| (*text).to_owned()).collect()));
        if let Some(of) = facts.recipes.iter().find(|of| of.result == *name) {
            out.push(Small("How it can be made again".into()));
            match (&of.recipe, &of.why) {
                (Some(recipe), _) => {
                    let digest = |input: &crate::report::recipe::RecipeInput| {
                        let of = input.blake3.as_ref().map(|hex| format!("BLAKE3 {hex}"));
                        of.or_else(|| input.commitment.as_ref().map(|hex| format!("commitment {hex}")))
                            .unwrap_or_default()
                    };
                    let row = |input: &crate::report::recipe::RecipeInput| {
                        vec![input.role.clone(), input.name.clone(), digest(input)]
                    };
                    let steps = recipe.steps.len();
                    let before = if steps == 0 {
                        String::new()
                    } else {
                        format!(", after {steps} audits of the logs into an empty store")
                    };
                    out.push(Text(format!(
                        "The command \"stillhunt {}\"{before}, with the arguments in recipes.json, on these inputs:",
                        recipe.command.join(" ")
                    )));
                    out.push(Table(
                        vec!["role", "name", "digest"],
                        recipe.inputs.iter().take(MOST[0]).map(row).collect(),
                    ));
                }
                (None, why) => {
                    out.push(Text(format!("It cannot: {}.", why.as_deref().unwrap_or("no reason is stated"))))
                }
            }
        }
    }
    out.push(Heading("Keys".into()));
    if facts.keys.is_empty() {
        out.push(Text("No key with a commitment took part.".into()));
    } else {
        let row = |key: &KeyCommitment| vec![key.role.clone(), key.name.clone(), key.commitment.clone()];
        out.push(Table(vec!["role", "file", "commitment"], facts.keys.iter().map(row).collect()));
        out.push(Text("A commitment fixes a key and reveals nothing of it. Ask when it was published: a key that was fixed only after the text was known proves nothing. Whoever is given the key file makes the commitment again with \"stillhunt watermark commit\"; a replay does so by itself.".into()));
    }
    out.push(Heading("Accounts".into()));
    out.push(Text(match facts.accounts {
        0 => "No account is named.".to_owned(),
        n => format!("{n} accounts are named by pseudonyms. accounts.json has a commitment of each; the maker of the bundle can disclose chosen ones, which \"stillhunt evidence verify --disclosure\" checks against it, and nothing is learned of the others."),
    }));
    out.push(Heading("Custody".into()));
    out.push(Text(match facts.custody {
        None => "The results stand on no store's chain of custody.".to_owned(),
        Some(head) => format!("custody.json has the chain of custody of the store: who ran what, on which digests, when. It ends with row {}, head {}. Rows that are taken out of the store later, changed or moved show against this head.", head.row, head.head),
    }));
    out.push(Heading("Check it yourself".into()));
    out.push(Text("HOW-TO-CHECK.md says how, with and without this program. In short, with the public key from a source other than this bundle:".into()));
    out.push(Code("stillhunt evidence verify DIR --public PUB\npython3 DIR/verify_bundle.py DIR PUB\nstillhunt evidence replay DIR --inputs INPUTS"));
    out
}

/// The report: HTML, then Markdown.
#[must_use]
pub fn write(facts: &Facts<'_>) -> [String; 2] {
    let blocks = blocks(facts);
    [html(&blocks), markdown(&blocks)]
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto}th,td{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;vertical-align:top}\
td{font-variant-numeric:tabular-nums}h2{margin-top:2.5rem;border-bottom:1px solid #bbb}pre{background:#f3f3f0;padding:.75rem;overflow-x:auto}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#15171a}th,td,h2{border-color:#555}pre{background:#24272b}}";

fn html(blocks: &[Block]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">\
         <title>stillhunt: evidence bundle</title><style>{STYLE}</style></head><body><main>\n"
    );
    let row = |cells: Vec<String>, tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape::html(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    for block in blocks {
        let _ = match block {
            Title(text) => writeln!(out, "<h1>{}</h1>", escape::html(text)),
            Heading(text) => writeln!(out, "<h2>{}</h2>", escape::html(text)),
            Small(text) => writeln!(out, "<h3>{}</h3>", escape::html(text)),
            Text(text) => writeln!(out, "<p>{}</p>", escape::html(text)),
            Code(text) => writeln!(out, "<pre>{}</pre>", escape::html(text)),
            List(items) => {
                let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape::html(item))).collect();
                writeln!(out, "<ul>\n{items}</ul>")
            }
            Table(head, rows) => {
                let head = row(head.iter().map(|cell| (*cell).to_owned()).collect(), "th");
                let rows: String = rows.iter().map(|cells| row(cells.clone(), "td")).collect();
                writeln!(out, "<table>\n{head}{rows}</table>")
            }
        };
    }
    out + "</main></body></html>\n"
}

fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    let row = |cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!(" {} |", escape::markdown(cell))).collect();
        format!("|{cells}\n")
    };
    for block in blocks {
        let _ = match block {
            Title(text) => writeln!(out, "# {}\n", escape::markdown(text)),
            Heading(text) => writeln!(out, "## {}\n", escape::markdown(text)),
            Small(text) => writeln!(out, "### {}\n", escape::markdown(text)),
            Text(text) => writeln!(out, "{}\n", escape::markdown(text)),
            Code(text) => writeln!(out, "```\n{text}\n```\n"),
            List(items) => {
                let items: String = items.iter().map(|item| format!("* {}\n", escape::markdown(item))).collect();
                writeln!(out, "{items}")
            }
            Table(head, rows) => {
                let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
                let line = "|---".repeat(head.len()) + "|\n";
                let rows: String = rows.iter().map(|cells| row(cells)).collect();
                writeln!(out, "{}{line}{rows}", row(&head))
            }
        };
    }
    out
}
