use super::*;
use crate::report::{Part, Slot, sample};

/// The page without its style sheet, which is ours.
fn body(report: &Report) -> String {
    write(report).replace(&format!("<style>{STYLE}</style>"), "")
}

/// Opening and closing tags, in order, without the values of their attributes; panics on one not closed in its turn.
fn tags(page: &str) -> Vec<String> {
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).expect("a name").to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "closing <{tag}>");
        } else if !tag.ends_with('/') && !["!doctype", "meta"].contains(&name.as_str()) {
            open.push(name.clone());
        }
        seen.push(tag.split('"').step_by(2).collect());
    }
    assert_eq!(open, Vec::<String>::new(), "left open");
    seen
}

#[test]
fn the_page_is_well_formed_and_has_only_our_tags() {
    let page = body(&sample().finish());
    assert!(page.contains("onerror=alert(1)"), "the sample tries");
    for tag in tags(&page) {
        let (name, attributes) = tag.split_once([' ', '/']).unwrap_or((&tag, ""));
        assert!(!["script", "img", "iframe", "object", "link", "form", "input", "base"].contains(&name), "<{tag}>");
        for bad in ["on", "style", "src", "background"] {
            assert!(!attributes.split(' ').any(|attribute| attribute.starts_with(bad)), "<{tag}>");
        }
    }
}

#[test]
fn nothing_is_fetched() {
    let page = write(&sample().finish());
    for at in page.match_indices("href=\"").map(|(at, _)| &page[at + 6..]) {
        assert!(at.starts_with('#'), "{}", &at[..40]);
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn hostile_text_is_shown_and_does_nothing() {
    let page = body(&sample().finish());
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && page.contains("<i>\\u{202e}</i>"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{2066}']));
}

#[test]
fn a_template_gives_its_block_its_direction() {
    let page = body(&sample().finish());
    assert!(
        page.contains("dir=\"auto\"") && page.contains("><span>اكتب"),
        "not inside a bdi, which `auto` does not look into"
    );
}

#[test]
fn links_lead_somewhere_and_ids_are_unique() {
    let page = write(&sample().finish());
    let values = |name: &str| -> Vec<String> {
        let found = page.match_indices(name).map(|(at, _)| &page[at + name.len()..]);
        found.map(|rest| rest.split('"').next().expect("a value").to_owned()).collect()
    };
    let ids = values(" id=\"");
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    for link in values("href=\"#") {
        assert!(unique.contains(&link), "#{link}");
    }
}

#[test]
fn exact_copies_lie_inside_their_family() {
    let report = sample().finish();
    let page = body(&report);
    let copy = report.families.iter().find(|family| family.within.is_some()).expect("a copy");
    assert!(page.contains(&format!("<li id=\"{}\">", copy.id)));
    assert!(!page.contains(&format!("<article class=\"card\" id=\"{}\"", copy.id)));
}

#[test]
fn the_page_is_bounded() {
    let mut report = sample();
    let family = &mut report.families[0];
    family.template_parts = (1..300).flat_map(|n| [Part::Text("\u{202e}\"".repeat(99)), Part::Slot(n)]).collect();
    let examples = vec!["\0<".repeat(400); 20];
    family.slots = (1..300)
        .map(|slot| Slot { slot, distinct_values: 9, absent: 1, examples: examples.clone(), ..Slot::default() })
        .collect();
    // Bounded first and copied then, or the test itself would need gigabytes.
    let family = report.finish().families.swap_remove(0);
    let mut report = sample();
    report.families = (0..2_000_u64)
        .map(|n| FamilyId::derive(&[7; 32], family.level, &crate::ids::Digest::of(&n.to_le_bytes())))
        .map(|id| Family { id, within: None, slots: family.slots[..20].to_vec(), ..family.clone() })
        .collect();
    let page = write(&report.finish());
    assert_eq!(page.matches("<article").count(), MOST_CARDS);
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
    assert!(page.contains("Not on this page"));
}

#[test]
fn an_empty_store_has_a_page() {
    let mut report = sample();
    report.store = super::super::Totals::default();
    report.nights.clear();
    report.families.clear();
    report.trivial_families.clear();
    report.system_families.clear();
    report.counts.quarantined_by_reason.clear();
    let page = body(&report);
    tags(&page);
    assert!(page.contains("No two exchanges") && page.contains("No row was set aside"));
}
