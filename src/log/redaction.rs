//! Texts that a gateway or tracing tool put in the place of what was said: they are nobody's words, and compared they would make one family of
//! every account.
//!
//! Known are the fixed texts of LiteLLM (`redacted-by-litellm`), OpenInference (`__REDACTED__`), Langfuse's failed masks, Logfire's scrubbing and
//! Helicone's omission, and any one of a few words that stands alone in brackets, stars or underscores, as the masks in the tools' manuals do.
//! Sources: docs.litellm.ai/docs/proxy/logging, github.com/Arize-ai/openinference (spec/configuration.md), langfuse.com/docs (masking),
//! logfire.pydantic.dev (scrubbing).
//!
//! Weakness: a mask that a deployment invented in another language is text. Guarantee: only whole texts of at most 80 bytes are taken for masks;
//! a text with a name blanked out in it stays.

/// Longest placeholder, in bytes.
const LONGEST: usize = 80;

/// Whether a whole text stands for one that was taken out.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return false;
    }
    let around = |c: char| "[](){}<>*_#`\"'|-. ".contains(c);
    let core = text.trim_matches(around);
    if core.is_empty() {
        // Stars or crosses and nothing else, as many as a mask has and a rule in Markdown has not.
        return text.len() >= 3 && text.bytes().all(|byte| byte == b'*');
    }
    let marked = text.starts_with(['[', '(', '{', '<', '*', '_', '#']) && core.len() < text.len();
    let word = core.to_ascii_lowercase().replace(['-', '_'], " ");
    let fixed = ["redacted by litellm", "fully masked due to failed mask function", "omitted by helicone"];
    let words = [
        "redacted",
        "masked",
        "scrubbed",
        "filtered",
        "removed",
        "hidden",
        "omitted",
        "content redacted",
        "content removed",
        "content omitted",
        "content hidden",
        "input redacted",
        "output redacted",
        "message redacted",
        "prompt redacted",
        "response redacted",
        "text redacted",
        "data redacted",
        "redacted for privacy",
        "sensitive data",
    ];
    fixed.contains(&word.as_str())
        || (marked && (words.contains(&word.as_str()) || word.starts_with("scrubbed due to ")))
        || core == "REDACTED"
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn masks_are_known_and_words_are_words() {
        for text in [
            "redacted-by-litellm",
            "[REDACTED]",
            "__REDACTED__",
            " <redacted> ",
            "***MASKED***",
            "******",
            "<fully masked due to failed mask function>",
            "[Scrubbed due to 'password']",
            "REDACTED",
            "[content redacted]",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "",
            "hidden",
            "redacted",
            "What does [REDACTED] mean?",
            "Dear [REDACTED], pay me",
            "**",
            "[INST]",
            "<think>",
            "[removed] from the list?",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
