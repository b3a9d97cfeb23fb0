//! What survives of a mark on its way into a student, and who is marked without having been trained on a harvest.

use crate::text::Human;
use crate::trial::{Found, Trial, named, range, said, share};
use crate::world::{ANSWERS, Corpus, EACH, World, scheme, tokens_of};
use stillhunt::detect::Verdict;
use stillhunt::detect::windows::Text;
use stillhunt::radioactivity::Finding;

/// Share of the harvest in what the student reads, before anything is done to it.
const READ: f64 = 0.2;

/// One row of the table: what was found under each seed.
struct Row {
    what: &'static str,
    found: Vec<Found>,
}

fn add(rows: &mut Vec<Row>, what: &'static str, found: Found) {
    match rows.iter_mut().find(|row| row.what == what) {
        Some(row) => row.found.push(found),
        None => rows.push(Row { what, found: vec![found] }),
    }
}

fn told(row: &Row) {
    let n = row.found.len();
    let cell = |findings: Vec<&Finding>| {
        if findings.is_empty() {
            return "– | – | –".to_owned();
        }
        let log10_ps: Vec<f64> = findings.iter().map(|of| of.log10_p).collect();
        let of = |verdict| findings.iter().filter(|of| of.verdict == verdict).count();
        let copies = findings.iter().filter(|of| of.copies.is_some()).count();
        let note = if copies > 0 { format!(", said to be copies {copies}") } else { String::new() };
        let marked = of(Verdict::Marked);
        let other = [of(Verdict::NotDetected), of(Verdict::Inconclusive)];
        format!("{} | {}{note} | {}, {}", range(&log10_ps, 1), share(marked, n), other[0], other[1])
    };
    let rings = |mode: usize| {
        let all: Vec<Vec<&str>> = row.found.iter().map(|found| named(&found.rings[mode])).collect();
        let b = all.iter().filter(|found| **found == ["B"]).count();
        let other = all.iter().filter(|found| found.iter().any(|ring| *ring != "B")).count();
        format!("{b}, {other}")
    };
    let open: Vec<&Finding> = row.found.iter().filter_map(|found| found.open.as_ref()).collect();
    let by_predictions = if open.is_empty() { "–".into() } else { rings(1) };
    let closed = cell(row.found.iter().map(|found| &found.closed).collect());
    let origins: Vec<_> = row.found.iter().filter_map(|found| found.closed.origin).collect();
    let log10_ps = |of: Vec<f64>| if of.is_empty() { "–".into() } else { range(&of, 1) };
    let outside = log10_ps(origins.iter().map(|of| of.log10_p).collect());
    let learned = log10_ps(origins.iter().filter_map(|of| of.log10_p_learned).collect());
    println!("| {} | {closed} | {} | {} | {by_predictions} | {outside} | {learned} |", row.what, cell(open), rings(0));
}

pub(crate) fn report(corpus: &Corpus, human: &Human, seeds: u64) {
    println!(
        "\n## What survives: green list, {seeds} seeds, {ANSWERS} answers a ring, {READ} of what the student reads\n"
    );
    println!(
        "| what the student read, or what the suspect is | closed, log10 p | Marked | not detected, inconclusive | open, log10 p | Marked | not detected, inconclusive | B alone named, another ring named: closed | open | outside the sets, log10 p | more inside, log10 p |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let (mut survives, mut innocent) = (Vec::new(), Vec::new());
    let other = corpus.learn(&corpus.human(0, f64::INFINITY));
    for seed in 1..=seeds {
        let world = World::new(corpus, "green-list", seed, ANSWERS);
        let trial = Trial::new(corpus, &world);
        let b = &world.harvests[1];
        let tokens = tokens_of(b) as f64 * (1.0 - READ) / READ;
        let text = corpus.human(0, tokens);
        let lessons = |harvest: &[Text]| [harvest.to_vec(), text.clone()].concat();
        let student = |harvest: &[Text]| corpus.learn(&lessons(harvest));
        let served = student(b);
        let mut read = |what, harvest: &[Text]| add(&mut survives, what, trial.of_model(&student(harvest), seed));
        read("the harvest as served", b);
        read("10% of its words replaced", &corpus.paraphrased(b, 0.1, &other, seed));
        read("30% of its words replaced", &corpus.paraphrased(b, 0.3, &other, seed));
        read("50% of its words replaced", &corpus.paraphrased(b, 0.5, &other, seed));
        let cut: Vec<Text> = b.iter().map(|text| Text { tokens: text.tokens[..50].to_vec(), prompt: None }).collect();
        read("the first 50 tokens of each answer", &cut);
        let foreign = corpus.answers(&other, None, (ANSWERS, EACH[0]), seed * 100 + 7);
        read("half its answers, half another model's", &[&b[..ANSWERS / 2], &foreign[ANSWERS / 2..]].concat());
        read("a tenth its answers, the rest another model's", &[&b[..ANSWERS / 10], &foreign[ANSWERS / 10..]].concat());
        read("translated, word by word", &corpus.translated(b));
        // A count model that is tuned further has the later text's counts added, and those of before may fade.
        let clean = corpus.human(tokens as usize, tokens / (1.0 - READ));
        let tuned = |times: usize| {
            let mut all = lessons(b);
            (0..times).for_each(|_| all.extend_from_slice(&clean));
            trial.of_model(&corpus.learn(&all), seed)
        };
        add(&mut survives, "as served, then as much clean text", tuned(1));
        add(&mut survives, "as served, then as much clean text that counts four times", tuned(4));
        add(&mut survives, "as served, then as much clean text that counts sixteen times", tuned(16));
        let again = corpus.read_again(&said(corpus, &served, seed), human);
        add(&mut survives, "as served; its answers written down and tokenised again", trial.of_answers(&again));

        let mut model = |what, lessons: &[Text]| {
            add(&mut innocent, what, trial.of_model(&corpus.learn(lessons), seed));
        };
        model("human text alone", &corpus.human(0, tokens / (1.0 - READ)));
        model("the same teacher's unmarked answers", &lessons(&world.unmarked));
        model("nothing but the same teacher's unmarked answers", &world.unmarked);
        let theirs = corpus.teach(
            Some(scheme("green-list", 1_000_000 + seed, corpus.vocab).as_ref()),
            ANSWERS,
            EACH[0],
            seed * 100 + 8,
        );
        model("another customer's answers, under another key", &lessons(&theirs));
        model("answers that we served to the crowd and that were published", &lessons(&world.honest));
        add(&mut innocent, "no model: ring B's answers, copied", trial.of_answers(b));
        let clean = said(corpus, &other, seed);
        let half = [&b[..ANSWERS / 2], &clean[..ANSWERS / 2]].concat();
        add(&mut innocent, "no model: half B's answers, copied, half a clean model's", trial.of_answers(&half));
        add(&mut innocent, "no model: the crowd's published answers, copied", trial.of_answers(&world.honest));
        let told = "the same, and the set of all that was served is given beside B's";
        add(&mut innocent, told, trial.with_all_served(&world.honest));
        let forged = |read: &[Text], number: u64| corpus.forged(&other, read, ANSWERS, seed * 100 + number);
        add(
            &mut innocent,
            "no model: forged by who has the crowd's answers",
            trial.of_answers(&forged(&world.honest, 9)),
        );
        add(&mut innocent, "no model: forged by who has B's answers", trial.of_answers(&forged(b, 10)));
        let anew = corpus.teach(Some(world.of.marker.as_ref()), ANSWERS, 1, seed * 100 + 11);
        add(&mut innocent, "no model of theirs: ours answers for it", trial.with_all_served(&anew));
        add(
            &mut survives,
            "as served, and the set of all that was served is given beside B's",
            trial.with_all_served(&said(corpus, &served, seed)),
        );
    }
    survives.iter().for_each(told);
    println!("| **nobody trained on ring B's harvest** | | | | | | | | | | |");
    innocent.iter().for_each(told);
}
