//! The page's files, as they are served: a shell for every address, and what it loads.
//!
//! The idea: no build step; each file is in the program as it stands in the sources, under the name that others import it by.
//! Weakness: a new file must be named here, and a test says when one is not. Guarantee: nothing but these files is served
//! as the page, and none of them asks another server for anything.

const JS: &str = "text/javascript; charset=utf-8";

/// The document of every address that is no file and no part of the API.
pub(super) const SHELL: &[u8] = include_bytes!("index.html");

/// Name, content type and bytes of each file below `/assets/`.
pub(super) const ASSETS: [(&str, &str, &[u8]); 20] = [
    ("page.css", "text/css; charset=utf-8", include_bytes!("page.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("page.js", JS, include_bytes!("page.js")),
    ("account.js", JS, include_bytes!("account.js")),
    ("api.js", JS, include_bytes!("api.js")),
    ("cases.js", JS, include_bytes!("cases.js")),
    ("chart.js", JS, include_bytes!("chart.js")),
    ("dialog.js", JS, include_bytes!("dialog.js")),
    ("dom.js", JS, include_bytes!("dom.js")),
    ("evidence.js", JS, include_bytes!("evidence.js")),
    ("families.js", JS, include_bytes!("families.js")),
    ("map.js", JS, include_bytes!("map.js")),
    ("parts.js", JS, include_bytes!("parts.js")),
    ("registry.js", JS, include_bytes!("registry.js")),
    ("ring.js", JS, include_bytes!("ring.js")),
    ("search.js", JS, include_bytes!("search.js")),
    ("table.js", JS, include_bytes!("table.js")),
    ("tonight.js", JS, include_bytes!("tonight.js")),
    ("watermark.js", JS, include_bytes!("watermark.js")),
    ("words.js", JS, include_bytes!("words.js")),
];
