//! `doctor`, `completions`, `manual`: what an operator runs before the first night.

use super::Site;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

fn state(site: &Site, code: i32, what: &str) -> (String, String) {
    let run = site.run(&["doctor", "--store", "store", "--key", "account.key", "--format", "json"]);
    assert_eq!(run.code, code, "{}\n{}", run.out, run.err);
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    let check =
        told["checks"].as_array().expect("checks").iter().find(|check| check["what"] == what).expect("the check");
    (check["state"].as_str().expect("a state").into(), check.to_string())
}

#[test]
fn a_store_is_well_until_something_is_taken_from_it() {
    let site = Site::new();
    assert_eq!(state(&site, 0, "store").0, "well", "none yet");
    assert_eq!(state(&site, 0, "key").0, "well", "none yet");
    let row =
        json!({ "id": "1", "account": "a", "time": "2026-11-01T00:00:00Z", "prompt": "how cold is it in winter?" });
    site.write("log.jsonl", format!("{row}\n"));
    site.run(&["audit", "log.jsonl", "--store", "store", "--key", "account.key"]).ok();
    for what in ["model", "store", "key", "clock", "limits"] {
        assert_ne!(state(&site, 0, what).0, "ill", "{what}");
    }
    let key = site.path("account.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("set");
    let (ill, told) = state(&site, 2, "key");
    assert!(ill == "ill" && told.contains("chmod 600"), "{told}");
    std::fs::write(&key, "7".repeat(64)).expect("another key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("set");
    let (ill, told) = state(&site, 2, "key");
    assert!(ill == "ill" && told.contains("got another"), "{told}");
    std::fs::remove_dir_all(site.path("store/nights")).expect("taken");
    let (ill, told) = state(&site, 2, "store");
    assert!(ill == "ill" && told.contains("are not there"), "{told}");
}

#[test]
fn a_store_that_lies_in_the_future_is_looked_at() {
    let site = Site::new();
    let row =
        json!({ "id": "1", "account": "a", "time": "2098-11-01T00:00:00Z", "prompt": "how cold is it in winter?" });
    site.write("log.jsonl", format!("{row}\n"));
    site.run(&["audit", "log.jsonl", "--store", "store", "--key", "account.key"]).ok();
    let (look, told) = state(&site, 0, "clock");
    assert!(look == "look" && told.contains("ahead"), "{told}");
}

#[test]
fn every_command_has_a_page_and_every_shell_its_completions() {
    let site = Site::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = site.run(&["completions", shell]).ok();
        for word in ["radioactivity", "expected-neighbours"] {
            assert!(run.out.contains(word), "{shell} {word}");
        }
    }
    site.run(&["manual", "man"]).ok();
    for page in ["stillhunt.1", "stillhunt-audit.1", "stillhunt-watermark-detect.1", "stillhunt-doctor.1"] {
        let text = std::fs::read_to_string(site.path("man").join(page)).expect("a page");
        assert!(text.contains(".TH"), "{page}");
    }
    let page = std::fs::read_to_string(site.path("man/stillhunt-audit.1")).expect("a page");
    assert!(page.contains("max\\-bad\\-share"), "flags stand in it");
}
