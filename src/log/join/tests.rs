//! What waits is bounded, and goes in the order in which it came.

use super::*;

fn half(key: &str, is_request: bool, n: usize) -> Row<Piece> {
    let text = Some(format!("{key} {}", "x".repeat(n)));
    let of = Draft {
        account: Some("a".into()),
        time: Some("2026-11-21".into()),
        prompt: text.clone().filter(|_| is_request),
        response: text.filter(|_| !is_request),
        ..Draft::default()
    };
    let half = if is_request { Half::Request(key.to_owned()) } else { Half::Result(key.to_owned()) };
    Row { place: Place { row: n as u64, part: 0 }, result: Ok(Piece::Half(Box::new(Waiting::new(&half, of)))) }
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes_first() {
    let mut joiner = Joiner { most: 10_000, ..Joiner::new(&LogConfig::default()) };
    let told = |rows: Vec<(u32, Row)>| -> Vec<String> {
        let one = |(source, row): (u32, Row)| {
            let what = row
                .result
                .map_or_else(|bad| bad.reason.word().to_owned(), |t| format!("{}", t.exchange.response.is_some()));
            format!("{source}.{} {what}", row.place.row)
        };
        rows.into_iter().map(one).collect()
    };
    assert!(joiner.join(0, vec![half("a", true, 3_000)]).is_empty());
    assert!(joiner.join(1, vec![half("b", true, 2_000)]).is_empty());
    // A third passes the bound: the oldest is let go without its answer, which then has no request.
    assert_eq!(told(joiner.join(2, vec![half("c", true, 2_500)])), ["0.3000 false"]);
    assert_eq!(told(joiner.join(2, vec![half("b", false, 9), half("a", false, 10)])), ["2.9 true"]);
    assert_eq!(told(joiner.finish()), ["2.2500 false", "2.10 no-request"]);
    assert_eq!((joiner.joined(), joiner.had_halves(1), joiner.had_halves(3)), (1, true, false));
}

fn gathered(half: Half, n: usize) -> Row<Piece> {
    let of = Draft {
        account: Some("a".into()),
        time: Some("2026-11-21".into()),
        prompt: matches!(half, Half::Part(..)).then(|| "x".repeat(n)),
        ..Draft::default()
    };
    Row { place: Place { row: n as u64, part: 0 }, result: Ok(Piece::Half(Box::new(Waiting::new(&half, of)))) }
}

#[test]
fn pieces_and_notes_that_never_end_are_bounded() {
    let mut joiner = Joiner { most: 12_000, ..Joiner::new(&LogConfig::default()) };
    let mut out = 0;
    for n in 1..200 {
        out += joiner.join(0, vec![gathered(Half::Part("endless".to_owned(), n), 2_000)]).len();
        assert!(joiner.bytes <= 12_000, "{}", joiner.bytes);
    }
    assert!(out >= 30, "{out} calls of pieces that were let go");
    // A note is passed over at once, and the oldest are forgotten.
    for n in 0..200 {
        assert_eq!(
            joiner
                .join(0, vec![gathered(Half::Note(n.to_string()), 1)])
                .iter()
                .filter(|(_, row)| row.result.is_err())
                .count(),
            1
        );
        assert!(joiner.bytes <= 12_000 && joiner.gathered.len() <= 12, "{} of {}", joiner.gathered.len(), joiner.bytes);
    }
    assert_eq!(joiner.gathered.len(), joiner.keys.len());
    joiner.finish();
    assert_eq!((joiner.bytes, joiner.gathered.len()), (0, 0));
}

#[test]
fn spans_are_remembered_so_far_and_no_further() {
    let mut spans = Spans::default();
    let span = |own: u128, parent: Option<u128>| Span { own, parent };
    assert!(!spans.seen(span(1, None), "q") && spans.seen(span(2, Some(1)), "q") && !spans.seen(span(3, Some(1)), "r"));
    for own in 10..10 + SPANS as u128 {
        assert!(!spans.seen(span(own, Some(5)), "other"));
    }
    assert!(spans.own.len() <= SPANS && spans.parents.len() <= SPANS && spans.order.len() <= SPANS);
    assert!(!spans.seen(span(4, Some(1)), "q"), "forgotten");
}
