//! Quality of families and searches on open prompts: `cargo bench --bench quality -- DATA_DIR [part…]`.
//!
//! Parts: `calibration` (writes `models/calibration.json` where the argument `--ship` is given). Tables are printed as Markdown.

mod calibration;
mod data;

use std::path::PathBuf;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, words): (Vec<String>, Vec<String>) = args.into_iter().partition(|arg| arg.starts_with("--"));
    let dir = words.first().map_or_else(|| PathBuf::from("data"), PathBuf::from);
    let Some(all) = data::prompts(&dir) else {
        println!("skipped: quality (no prompts.parquet in {})", dir.display());
        return;
    };
    let model = data::model();
    let wants = |part: &str| words.len() < 2 || words[1..].iter().any(|word| word == part);
    if wants("calibration") {
        let (table, shipped) = calibration::report(&model, &all);
        println!("{table}");
        if flags.iter().any(|flag| flag == "--ship") {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/calibration.json");
            std::fs::write(path, serde_json::to_string(&shipped).expect("numbers") + "\n").expect("the file");
        }
    }
}
