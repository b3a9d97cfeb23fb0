//! The page's files, as they are served: a shell for every address, and what it loads.
//!
//! The idea: no build step; each file is in the program as it stands in the sources, under the name that others import it by.
//! Weakness: a new file must be named here, and a test says when one is not. Guarantee: nothing but these files is served
//! as the page, and none of them asks another server for anything.

const JS: &str = "text/javascript; charset=utf-8";

/// The document of every address that is no file and no part of the API.
pub(super) const SHELL: &[u8] = include_bytes!("index.html");

/// Name, content type and bytes of each file below `/assets/`.
pub(super) const ASSETS: [(&str, &str, &[u8]); 26] = [
    ("page.css", "text/css; charset=utf-8", include_bytes!("page.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("page.js", JS, include_bytes!("page.js")),
    ("account.js", JS, include_bytes!("account.js")),
    ("address.js", JS, include_bytes!("address.js")),
    ("api.js", JS, include_bytes!("api.js")),
    ("bundle.js", JS, include_bytes!("bundle.js")),
    ("cases.js", JS, include_bytes!("cases.js")),
    ("chart.js", JS, include_bytes!("chart.js")),
    ("dialog.js", JS, include_bytes!("dialog.js")),
    ("dom.js", JS, include_bytes!("dom.js")),
    ("evidence.js", JS, include_bytes!("evidence.js")),
    ("families.js", JS, include_bytes!("families.js")),
    ("graph.js", JS, include_bytes!("graph.js")),
    ("map.js", JS, include_bytes!("map.js")),
    ("parts.js", JS, include_bytes!("parts.js")),
    ("places.js", JS, include_bytes!("places.js")),
    ("registry.js", JS, include_bytes!("registry.js")),
    ("ring.js", JS, include_bytes!("ring.js")),
    ("saved.js", JS, include_bytes!("saved.js")),
    ("search.js", JS, include_bytes!("search.js")),
    ("table.js", JS, include_bytes!("table.js")),
    ("tonight.js", JS, include_bytes!("tonight.js")),
    ("uses.js", JS, include_bytes!("uses.js")),
    ("watermark.js", JS, include_bytes!("watermark.js")),
    ("words.js", JS, include_bytes!("words.js")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<(&'static str, &'static str)> {
        let all = ASSETS.iter().map(|(name, _, bytes)| (*name, *bytes)).chain([("index.html", SHELL)]);
        all.map(|(name, bytes)| (name, std::str::from_utf8(bytes).expect("the page is text"))).collect()
    }

    #[test]
    fn whatever_a_file_of_the_page_asks_for_is_served() {
        let mut asked = 0;
        for (name, text) in texts() {
            for (mark, end) in [("from './", '\''), ("\"/assets/", '"')] {
                for part in text.split(mark).skip(1) {
                    let wanted = part.split(end).next().expect("a name");
                    assert!(ASSETS.iter().any(|(other, _, _)| *other == wanted), "{name} asks for {wanted}");
                    asked += 1;
                }
            }
        }
        assert!(asked > 40, "{asked} imports");
        for (name, ..) in ASSETS {
            let used = texts()
                .iter()
                .any(|(_, text)| text.contains(&format!("./{name}'")) || text.contains(&format!("/assets/{name}\"")));
            assert!(used, "nothing asks for {name}");
        }
    }

    #[test]
    fn the_page_parses_no_markup_sets_no_inline_style_and_asks_nobody_else() {
        for (name, text) in texts() {
            for never in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                " style=\"",
                "<script>",
                "@import",
                "url(",
            ] {
                assert!(!text.contains(never), "{name} has {never}");
            }
            for part in text.split("://").skip(1) {
                // Two names that are written as addresses, and are never asked.
                let names = ["www.w3.org/2000/svg", "in-toto.io/Statement/v1'"];
                assert!(
                    names.iter().any(|name| part.starts_with(name)),
                    "{name} names the address {}",
                    &part[..part.len().min(40)]
                );
            }
        }
    }

    #[test]
    fn every_file_says_what_it_is_for_and_all_of_them_are_small() {
        for (name, text) in texts().iter().filter(|(name, _)| name.ends_with(".js")) {
            let head: String = text.lines().take_while(|line| line.starts_with("//")).collect();
            for word in ["The idea:", "Weakness:", "Guarantee:"] {
                assert!(head.contains(word), "{name} does not say: {word}");
            }
        }
        let bytes: usize = texts().iter().map(|(_, text)| text.len()).sum();
        assert!(bytes < 400 << 10, "{bytes} bytes, before anything is compressed");
    }
}
