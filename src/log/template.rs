//! Chat templates → messages: an engine logs what the model read, which is one text with the roles as marks in it.
//!
//! Known are ChatML (Qwen, Yi, many others), Llama 4, 3 and 2, Mistral up to v7, Gemma, Phi up to phi-4, Zephyr, GLM, DeepSeek, Kimi, Command R,
//! Granite, harmony (gpt-oss), and the old forms of Claude and Titan. Sources: the `chat_template` in the models' `tokenizer_config.json`. Only logs of engines and raw completions are taken apart: in a log of an API such marks are what a user typed, and
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
    /// Behind that beginning and before the first mark stands the system prompt.
    system_first: bool,
}

const TEMPLATES: [Template; 14] = [
    Template {
        marks: &[
            ("<|im_start|>system<|im_sep|>", "system"),
            ("<|im_start|>user<|im_sep|>", "user"),
            ("<|im_start|>assistant<|im_sep|>", "assistant"),
            ("<|im_start|>tool<|im_sep|>", "tool"),
        ],
        ends: &["<|im_end|>"],
        before: &["<|endoftext|>"],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|header_start|>system<|header_end|>", "system"),
            ("<|header_start|>user<|header_end|>", "user"),
            ("<|header_start|>assistant<|header_end|>", "assistant"),
            ("<|header_start|>ipython<|header_end|>", "tool"),
        ],
        ends: &["<|eot|>", "<|eom|>"],
        before: &["<|begin_of_text|>"],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|im_system|>system<|im_middle|>", "system"),
            ("<|im_system|>tool_declare<|im_middle|>", "engine"),
            ("<|im_system|>tool<|im_middle|>", "tool"),
            ("<|im_user|>user<|im_middle|>", "user"),
            ("<|im_assistant|>assistant<|im_middle|>", "assistant"),
        ],
        ends: &["<|im_end|>"],
        before: &["[BOS]"],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "system"),
            ("<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "user"),
            ("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "assistant"),
        ],
        ends: &["<|END_OF_TURN_TOKEN|>"],
        before: &["<BOS_TOKEN>"],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|start_of_role|>system<|end_of_role|>", "system"),
            ("<|start_of_role|>user<|end_of_role|>", "user"),
            ("<|start_of_role|>assistant<|end_of_role|>", "assistant"),
            ("<|start_of_role|>tool_response<|end_of_role|>", "tool"),
        ],
        ends: &["<|end_of_text|>"],
        before: &[],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|im_start|>system\n", "system"),
            ("<|im_start|>user\n", "user"),
            ("<|im_start|>assistant\n", "assistant"),
            ("<|im_start|>tool\n", "tool"),
        ],
        ends: &["<|im_end|>"],
        before: &["<|endoftext|>", "<s>"],
        system_first: false,
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
        system_first: false,
    },
    Template {
        marks: &[
            ("[INST]", "user"),
            ("[/INST]", "assistant"),
            ("[SYSTEM_PROMPT]", "system"),
            ("[AVAILABLE_TOOLS]", "engine"),
            ("[TOOL_CALLS]", "engine"),
            ("[TOOL_RESULTS]", "tool"),
        ],
        ends: &["</s>", "<s>", "[/SYSTEM_PROMPT]", "[/AVAILABLE_TOOLS]", "[/TOOL_RESULTS]"],
        before: &["<s>"],
        system_first: false,
    },
    Template {
        marks: &[("<start_of_turn>user\n", "user"), ("<start_of_turn>model\n", "assistant")],
        ends: &["<end_of_turn>"],
        before: &["<bos>"],
        system_first: false,
    },
    Template {
        marks: &[
            ("<|system|>", "system"),
            ("<|user|>", "user"),
            ("<|assistant|>", "assistant"),
            ("<|observation|>", "tool"),
        ],
        ends: &["<|end|>", "</s>", "<|endoftext|>"],
        before: &["<s>", "[gMASK]<sop>", "[gMASK]"],
        system_first: false,
    },
    Template {
        marks: &[("<｜User｜>", "user"), ("<｜Assistant｜>", "assistant")],
        ends: &["<｜end▁of▁sentence｜>"],
        before: &["<｜begin▁of▁sentence｜>"],
        system_first: true,
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
        system_first: false,
    },
    Template {
        marks: &[("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")],
        ends: &[],
        before: &[],
        system_first: false,
    },
    Template {
        marks: &[("User: ", "user"), ("\nUser: ", "user"), ("\nBot:", "assistant")],
        ends: &[],
        before: &[],
        system_first: false,
    },
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
        let begun = self.system_first && self.before.iter().any(|lead| text.trim_start().starts_with(lead));
        let leads = begun || (plain && self.marks.iter().all(|(mark, _)| text.contains(mark)));
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
            // A model that reasons is led on by the tags of its reasoning: nobody said them.
            if rest.len() == next
                && *role == "assistant"
                && said.replace("<think>", "").replace("</think>", "").trim().is_empty()
            {
                said = "";
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
            "<｜begin▁of▁sentence｜>Be brief.<｜User｜>A?<｜Assistant｜>B.<｜end▁of▁sentence｜><｜User｜>Say \"hi\".\nTwice.<｜Assistant｜><think>\n",
            "<|im_start|>system<|im_sep|>Be brief.<|im_end|><|im_start|>user<|im_sep|>A?<|im_end|><|im_start|>assistant<|im_sep|>B.<|im_end|><|im_start|>user<|im_sep|>Say \"hi\".\nTwice.<|im_end|><|im_start|>assistant<|im_sep|>",
            "<|begin_of_text|><|header_start|>system<|header_end|>\n\nBe brief.<|eot|><|header_start|>user<|header_end|>\n\nA?<|eot|><|header_start|>assistant<|header_end|>\n\nB.<|eot|><|header_start|>user<|header_end|>\n\nSay \"hi\".\nTwice.<|eot|><|header_start|>assistant<|header_end|>\n\n",
            "<|im_system|>tool_declare<|im_middle|>[]<|im_end|><|im_system|>system<|im_middle|>Be brief.<|im_end|><|im_user|>user<|im_middle|>A?<|im_end|><|im_assistant|>assistant<|im_middle|>B.<|im_end|><|im_user|>user<|im_middle|>Say \"hi\".\nTwice.<|im_end|><|im_assistant|>assistant<|im_middle|>",
            "<s>[SYSTEM_PROMPT] Be brief.[/SYSTEM_PROMPT][INST] A?[/INST] B.</s>[INST] Say \"hi\".\nTwice.[/INST]",
            "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][AVAILABLE_TOOLS][{}][/AVAILABLE_TOOLS][INST]A?[/INST]B.</s>[INST]Say \"hi\".\nTwice.[/INST]",
            "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>A?<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>B.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Say \"hi\".\nTwice.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
            "<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>A?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>B.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Say \"hi\".\nTwice.<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
            "Be brief.\n\nHuman: A?\n\nAssistant: B.\n\nHuman: Say \"hi\".\nTwice.\n\nAssistant:",
        ] {
            assert_eq!(taken(text), told, "{text}");
        }
        let bare = "<bos><start_of_turn>user\nSay.<end_of_turn>\n<start_of_turn>model\n";
        assert_eq!(taken(bare), ("Say.".to_owned(), None, 0));
        for lead in ["", "<think>\n", "</think>", "<think>\n\n</think>\n\n"] {
            let deep = format!("<｜begin▁of▁sentence｜><｜User｜>Say.<｜Assistant｜>{lead}");
            assert_eq!(taken(&deep), ("Say.".to_owned(), None, 0));
        }
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
            "Is <｜User｜>a mark of DeepSeek?",
        ] {
            assert_eq!(taken(text), (text.to_owned(), None, 0));
        }
    }
}
