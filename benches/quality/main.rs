//! Quality of families and searches on open prompts: `cargo bench --bench quality -- DATA_DIR [part…]`.
//!
//! Parts: `calibration` (writes `models/calibration.json` where the argument `--ship` is given), `edits`, `sts`, `index`,
//! `clumps`, `chains`; all of them without a name. Tables are printed as Markdown, and with `--record WHERE` they are also
//! written there, a file a part.

mod calibration;
mod chains;
mod clumps;
mod data;
mod edits;
mod index;
mod logs;
mod sts;

use std::path::PathBuf;
use stillhunt::simulate::Edit;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, words): (Vec<String>, Vec<String>) = args.into_iter().partition(|arg| arg.starts_with("--"));
    let dir = words.first().map_or_else(|| PathBuf::from("data"), PathBuf::from);
    let Some(all) = data::prompts(&dir) else {
        println!("skipped: quality (no prompts.parquet in {})", dir.display());
        return;
    };
    let model = data::model();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let wants = |part: &str| words.len() < 2 || words[1..].iter().any(|word| word == part);
    if wants("calibration") {
        let (table, shipped) = calibration::report(&model, &all);
        println!("{table}");
        if flags.iter().any(|flag| flag == "--ship") {
            let json = serde_json::to_string(&shipped).expect("numbers");
            std::fs::write(root.join("models/calibration.json"), json + "\n").expect("the file");
        }
    }
    let shipped = std::fs::read_to_string(root.join("models/calibration.json")).expect("the shipped calibration");
    let shipped = serde_json::from_str(&shipped).expect("the shipped calibration");
    if wants("edits") {
        let kinds: Vec<Edit> = Edit::ALL.into_iter().filter(|kind| words.len() < 3 || wants(kind.word())).collect();
        println!("{}", edits::report(&model, &all, &shipped, &kinds));
    }
    if wants("sts") {
        println!("{}", sts::report(&model, &dir, &shipped));
    }
    if wants("index") {
        println!("{}", index::report(&model, &all, &shipped));
    }
    if wants("clumps") {
        println!("{}", clumps::report(&model, &all));
    }
    if wants("chains") {
        let families = chains::largest(&model, &all);
        println!("{}", chains::report(&model, &all, &families));
        if flags.iter().any(|flag| flag == "--record") {
            std::fs::write(root.join("benches/record/largest-families.csv"), chains::csv(&families)).expect("the file");
        }
    }
}
