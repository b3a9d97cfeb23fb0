//! Chat templates → messages: an engine logs what the model read, which is one text with the roles as marks in it.
//!
//! Known are ChatML (Qwen, Yi, many others), Llama 3, Llama 2 and Mistral, Gemma, Phi, Zephyr, DeepSeek, harmony (gpt-oss), and the old forms
//! of Claude and Titan. Only logs of engines and raw completions are taken apart: in a log of an API such marks are what a user typed, and
//! stay. Weakness: a user who types a mark into an engine's prompt is cut there too, exactly as the model read it. Guarantee: a text in which
//! no template is found, or no user, stays whole.

use super::draft::Draft;
use super::messages::Talk;
use serde_json::Value;

/// How a template marks who speaks: each mark, and whose text follows it.
struct Template {
    marks: &'static [(&'static str, &'static str)],
    /// What ends a text, besides the next mark.
    ends: &'static [&'static str],
    /// The template's text begins with the first mark, but for what is listed here.
    before: &'static [&'static str],
}

const TEMPLATES: [Template; 9] = [
    Template {
        marks: &[
            ("<|im_start|>system\n", "system"),
            ("<|im_start|>user\n", "user"),
            ("<|im_start|>assistant\n", "assistant"),
            ("<|im_start|>tool\n", "tool"),
        ],
        ends: &["<|im_end|>"],
        before: &["<|endoftext|>", "<s>"],
    },
    Template {
        marks: &[
            ("<|start_header_id|>system<|end_header_id|>", "system"),
            ("<|start_header_id|>user<|end_header_id|>", "user"),
            ("<|start_header_id|>assistant<|end_header_id|>", "assistant"),
            ("<|start_header_id|>ipython<|end_header_id|>", "tool"),
        ],
        ends: &["<|eot_id|>", "<|eom_id|>"],
        before: &["<|begin_of_text|>"],
    },
    Template { marks: &[("[INST]", "user"), ("[/INST]", "assistant")], ends: &["</s>", "<s>"], before: &["<s>"] },
    Template {
        marks: &[("<start_of_turn>user\n", "user"), ("<start_of_turn>model\n", "assistant")],
        ends: &["<end_of_turn>"],
        before: &["<bos>"],
    },
    Template {
        marks: &[("<|system|>", "system"), ("<|user|>", "user"), ("<|assistant|>", "assistant")],
        ends: &["<|end|>", "</s>", "<|endoftext|>"],
        before: &["<s>", "[gMASK]<sop>", "[gMASK]"],
    },
    Template {
        marks: &[("<｜User｜>", "user"), ("<｜Assistant｜>", "assistant")],
        ends: &["<｜end▁of▁sentence｜>"],
        before: &["<｜begin▁of▁sentence｜>"],
    },
    Template {
        marks: &[
            ("<|start|>system<|message|>", "engine"),
            ("<|start|>developer<|message|>", "system"),
            ("<|start|>user<|message|>", "user"),
            ("<|start|>assistant<|channel|>analysis<|message|>", "reasoning"),
            ("<|start|>assistant<|channel|>final<|message|>", "assistant"),
            ("<|start|>assistant", "assistant"),
        ],
        ends: &["<|end|>", "<|return|>"],
        before: &[],
    },
    Template { marks: &[("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")], ends: &[], before: &[] },
    Template { marks: &[("User: ", "user"), ("\nUser: ", "user"), ("\nBot:", "assistant")], ends: &[], before: &[] },
];

/// Takes the prompt of a draft apart where a template is in it.
pub(crate) fn split(draft: &mut Draft) {
    let Some(text) = draft.prompt.as_deref().filter(|_| draft.turns.is_empty()) else { return };
    if let Some(talk) = TEMPLATES.iter().find_map(|template| template.read(text)) {
        talk.fill(draft);
    }
}

impl Template {
    fn read(&self, text: &str) -> Option<Talk> {
        let first = self.marks.iter().filter_map(|(mark, _)| text.find(mark)).min()?;
        // What stands before the first mark: nothing, the template's own beginning, or in Claude's a system prompt.
        let mut before = text[..first].trim();
        for lead in self.before {
            before = before.strip_prefix(lead).unwrap_or(before).trim();
        }
        let plain = self.marks[0].0.starts_with('\n');
        let leads = plain && self.marks.iter().all(|(mark, _)| text.contains(mark));
        if !before.is_empty() && !leads {
            return None;
        }
        // The old forms are words that anybody writes: without the mark that asks for an answer at the end they are text.
        let asks =
            self.marks.iter().any(|(mark, role)| *role == "assistant" && text.trim_end().ends_with(mark.trim_end()));
        if self.ends.is_empty() && !asks {
            return None;
        }
        let mut list: Vec<Value> = Vec::new();
        let mut say = |role: &str, said: &str| {
            if !said.trim().is_empty() && !matches!(role, "engine" | "reasoning") {
                list.push(serde_json::json!({"role": role, "content": said}));
            }
        };
        if !before.is_empty() {
            say("system", before);
        }
        let mut rest = &text[first..];
        while let Some((mark, role)) =
            self.marks.iter().filter(|(mark, _)| rest.starts_with(mark)).max_by_key(|(mark, _)| mark.len())
        {
            rest = &rest[mark.len()..];
            let next = self.marks.iter().filter_map(|(mark, _)| rest.find(mark)).min().unwrap_or(rest.len());
            let mut said = &rest[..next];
            if let Some(end) = self.ends.iter().filter_map(|end| said.find(end)).min() {
                said = &said[..end];
            }
            // Llama 2 puts the system prompt into the first user's text.
            let system = said.trim_start().strip_prefix("<<SYS>>").and_then(|inner| inner.split_once("<</SYS>>"));
            match system {
                Some((system, said)) => {
                    say("system", system.trim());
                    say(role, said.trim());
                }
                None => say(role, said.trim()),
            }
            rest = &rest[next..];
        }
        let talk = Talk::of(&list);
        talk.has_prompt().then_some(talk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Option<String>, usize) {
        let mut draft = Draft { prompt: Some(text.to_owned()), ..Draft::default() };
        split(&mut draft);
        (draft.prompt.unwrap_or_default(), draft.system, draft.turns.len())
    }

    #[test]
    fn every_template_is_taken_apart() {
        let told = ("Say \"hi\".\nTwice.".to_owned(), Some("Be brief.".to_owned()), 2);
        for text in [
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\nB.<|im_end|>\n<|im_start|>user\nSay \"hi\".\nTwice.<|im_end|>\n<|im_start|>assistant\n",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nA?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nB.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nSay \"hi\".\nTwice.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nA? [/INST] B. </s><s>[INST] Say \"hi\".\nTwice. [/INST]",
            "<|system|>\nBe brief.<|end|>\n<|user|>\nA?<|end|>\n<|assistant|>\nB.<|end|>\n<|user|>\nSay \"hi\".\nTwice.<|end|>\n<|assistant|>\n",
            "<|start|>system<|message|>Reasoning: low<|end|><|start|>developer<|message|>Be brief.<|end|><|start|>user<|message|>A?<|end|><|start|>assistant<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>B.<|end|><|start|>user<|message|>Say \"hi\".\nTwice.<|end|><|start|>assistant",
            "Be brief.\n\nHuman: A?\n\nAssistant: B.\n\nHuman: Say \"hi\".\nTwice.\n\nAssistant:",
        ] {
            assert_eq!(taken(text), told, "{text}");
        }
        let bare = "<bos><start_of_turn>user\nSay.<end_of_turn>\n<start_of_turn>model\n";
        assert_eq!(taken(bare), ("Say.".to_owned(), None, 0));
        let deep = "<｜begin▁of▁sentence｜><｜User｜>Say.<｜Assistant｜>";
        assert_eq!(taken(deep), ("Say.".to_owned(), None, 0));
    }

    #[test]
    fn text_with_marks_in_it_stays_text() {
        for text in [
            "What does <|im_start|>user\nmean in ChatML?",
            "User: hello",
            "Two people.\n\nHuman: hi",
            "",
            "[INST",
            "<|im_start|>assistant\nB.",
        ] {
            assert_eq!(taken(text), (text.to_owned(), None, 0));
        }
    }
}
