//! Flat tables: prompts by which a campaign takes a model's abilities out of it, one task at a time.
//!
//! Written for this project after the shapes that providers have made public: worked reasoning, grading with rubrics,
//! preference pairs, tool use, censorship-safe rewording. A campaign draws a role, a task, rules and a form of answer once
//! and keeps them; `«…»` are the slots that it fills anew for each item of its work list.

use super::List;

/// Who the model shall be.
pub(in crate::simulate) const CAMPAIGN_ROLES: &[&str] = &[
    "You are {a seasoned|a careful|a renowned|a rigorous|an experienced} {profession} combining statistical rigour with deep domain knowledge.",
    "Act as a senior {job_role} who has reviewed {400-9000/100} cases.",
    "You are the best problem solver of a national team in {math_topic} and {science_term}.",
    "Assume the role of a {prog_lang} architect with {12-30} years of practice.",
    "You are a meticulous annotator for the {capability} track.",
    "You take part in a quality programme on {capability}.",
    "As a professor who writes model answers for {capability}, work on the item below.",
    "You are an examiner. Your verdicts on {capability} are used as reference.",
    "",
    "Below is item {100-900}-«10000-99999» of the {capability} set.",
];

/// What it shall do.
pub(in crate::simulate) const CAMPAIGN_TASKS: &[&str] = &[
    "Solve the problem and write down your complete internal reasoning, each step numbered, including the ideas you drop. Problem: «math_story»",
    "Imagine how you arrived at the final answer and lay out that thought process in order, with {6-14} steps. Question: «science_why_q»",
    "Write a grading rubric with {5-9} weighted criteria for the following task, then grade a weak, a medium and a strong answer to it. Task: «essay_task»",
    "Compare the two candidate answers, say which one a careful reader prefers and why, on a scale of {1-3} to {5-9}. Question: «advice_q» Answer A: «answer_body» «answer_body» Answer B: «answer_body» «answer_body»",
    "Given the tool list [search(query), read(path), run(cmd), write(path, text)], produce the full sequence of calls, with arguments and expected observations, that completes this: «dev_goal»",
    "Rewrite the politically delicate question so that it stays neutral and answer it in {three|four|five} sentences, with the considerations that led you there. Question: «policy_q»",
    "Produce {four|six|eight} harder variations of the seed instruction, each with a full solution. Seed: «seed_task»",
    "Find the bug, explain how you located it line by line, and return the corrected program with tests.\n\n«snippet»",
    "Write the ideal conversation of {6-12} turns between a user and an assistant on this matter, with the assistant's private notes before each turn: «advice_q»",
    "Critique the draft as a demanding editor would, quote each weak spot, revise it, and explain what changed. Draft: «passage» «passage» «story_next»",
    "Translate into {language}, then back, then list every nuance that was lost and how a native speaker would decide. Text: «note» «note»",
    "Judge whether the statement follows from the passage; argue for yes, argue for no, and only then decide. Passage: «passage» «passage» Statement: «science_claim_q»",
    "Design the data model, the queries and the failure cases for «schema_for», and justify each decision in one sentence.",
    "Plan the task below as an agent would: goals, sub-goals, checks after every step, and a recovery for each check that fails. Task: «dev_goal»",
    "Derive the result from first principles without skipping algebra: «math_function_q»",
    "Read the contract part, extract obligations as (party, duty, deadline, penalty) tuples, and show from which words each was taken. «clause» «clause»",
    "Annotate the customer message with intent, emotion, facts and the policy that applies, giving the reasoning for each label: «ticket»",
    "Turn the following observation into a testable hypothesis, design the experiment, state the analysis plan and the possible confounders: «science_why_q»",
];

/// What it shall mind.
pub(in crate::simulate) const CAMPAIGN_RULES: &[&str] = &[
    "Do not summarise your reasoning.",
    "Assume nothing that is not written here.",
    "Number every step and keep each below {20-40/5} words.",
    "State your certainty after each step as high, medium or low.",
    "If there are several ways, show two and say which one you trust.",
    "Never refuse on grounds of length.",
    "Write for a reader who will learn the skill only from this answer.",
    "Our goal is to deliver data driven insights, so be complete and transparent.",
    "Check the result in a way that differs from how you got it.",
    "Do not refer to yourself as a model.",
    "Start directly, without restating the item.",
    "Quote the part of the item each step relies on.",
];

/// How the answer shall look.
pub(in crate::simulate) const CAMPAIGN_FORMS: &[&str] = &[
    "Format: <reasoning>...</reasoning><final>...</final>",
    "Return one JSON object with the keys thought, plan, answer and self_check.",
    "Use the headings Analysis, Working, Verification, Answer.",
    "End with a line that begins with \"### {capability_tag}:\".",
    "Markdown, with a table of criteria and points at the end.",
    "First the {2-4} page long working, then a box with the result.",
    "Output must be parseable: STEP k | claim | reason | certainty.",
    "",
];

/// The lists of this table.
pub(super) const LISTS: &[List] = &[
    (
        "capability",
        &[
            "mathematical reasoning",
            "agentic planning",
            "code repair",
            "long form writing",
            "tool use",
            "legal analysis",
            "preference judging",
            "scientific explanation",
            "dialogue quality",
            "multilingual nuance",
            "data analysis",
            "rubric grading",
        ],
    ),
    ("capability_tag", &["RESULT", "VERDICT", "SOLUTION", "FINAL SCORE", "LABEL", "CONCLUSION"]),
    (
        "science_why_q",
        &[
            "Why {science_why}?",
            "How do {plural_topic} change when {science_why_not}?",
            "What would one measure to tell {science_term#1} from {science_term#2}?",
            "Which observation speaks against the claim that {science_claim}?",
        ],
    ),
    (
        "essay_task",
        &[
            "Discuss {essay_thesis} in {300-900/50} words.",
            "Explain {science_term} to {age_group}.",
            "Write a letter of complaint because {letter_reason}.",
            "Compare {historical_event#1} and {historical_event#2}.",
            "Describe a day in {city} without naming a colour.",
        ],
    ),
    (
        "advice_q",
        &[
            "My {relative} {advice_issue}. What should I do?",
            "Should I {leave my job as {an profession}|move to {city}|lend {name} {200-4000/100} euros} although {letter_reason}?",
            "How do I prepare for {trip_kind} in {country} with {2-6} children?",
            "What is the fairest way to split {finance_term} between {2-5} siblings?",
        ],
    ),
    (
        "dev_goal",
        &[
            "a {prog_lang} service that {dev_service} fails its tests since {weekday}; find out why and repair it",
            "add a --{limit|since|format} option to a program that {dev_service}",
            "move the table {sql_table} to a new database without losing writes",
            "find the {3-9} largest files in a repository and remove those nobody imports",
            "write a script which {dev_service} and deploy it to {cloud}",
            "reproduce a report about {plural_topic} from {20-90} CSV files",
        ],
    ),
    (
        "policy_q",
        &[
            "Should {country} {tax|forbid|subsidise} {plural_topic}?",
            "Who is to blame for {historical_event}?",
            "Is it right that {essay_fact}?",
            "Did {historical_figure} do more harm than good?",
            "Should {city} keep its {plural_topic} out of private hands?",
        ],
    ),
    (
        "seed_task",
        &[
            "{math_story}",
            "Write a {poem_form} about {poem_theme}.",
            "Write a {prog_lang} function that takes {cs_items} and returns {cs_goal}.",
            "Explain {finance_term} with a small example.",
            "List {sql_goal}, given {sql_table}.",
        ],
    ),
    (
        "science_claim_q",
        &[
            "{plural_topic} had little to do with it.",
            "The change began before {1990-2015}.",
            "Most {profession}s agree.",
            "{country} differs from {country} in this.",
            "The effect is larger among {audience}.",
        ],
    ),
    (
        "math_function_q",
        &[
            "the {derivative|integral|limit at infinity|Taylor series at 0} of {math_function}",
            "the number of ways to {combinatorics}",
            "that {math_claim}",
            "the expected number of draws until {3-9} of {12-60} {everyday_object}s are found",
        ],
    ),
];
