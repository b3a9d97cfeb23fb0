//! Flat tables: what apps put around their users' words: system prompts, tasks with a slot, and what stands in the slot.
//!
//! Written for this project. `«input»` is the slot that each request fills; all other holes are filled once for an app.

use super::List;

/// System prompts; the name of the app stands in the first sentence.
pub(in crate::simulate) const APP_SYSTEMS: &[&str] = &[
    "You are {name}, the assistant of {company}. {app_rule} {app_rule}",
    "You help the customers of {company} with {product}s and {work_item}. {app_rule} {app_rule} {app_rule}",
    "Role: {job_role} assistant at {company}, {city}. Audience: {audience}. {app_rule} {app_rule}",
    "{company} internal tool v{2-9}.{0-19}. {app_rule} Output is read by a program. {app_rule}",
    "You are a tutor for {age_group}. Subject: {math_topic}. {app_rule} {app_rule}",
    "You answer questions about {plural_topic} for readers of {company}. {app_rule}",
];

/// The tasks that an app repeats with every request, each with what stands in its slot.
pub(in crate::simulate) const APP_TASKS: &[(&str, &str)] = &[
    (
        "Classify the following message into one of {category#1}, {category#2}, {category#3}, {category#4}, other. Answer with the category only.\n\nMessage: «input»",
        "{{ticket}|{ticket} {ticket}|{review}}",
    ),
    (
        "Summarise the text between the lines in {two|three|four} sentences for {audience}. {app_rule}\n-----\n«input»\n-----",
        "{{passage} {passage} {passage}|{note} {note} {note}|{mail_body}}",
    ),
    (
        "Extract {sheet_col#1}, {sheet_col#2} and {sheet_col#3} from the text below as JSON. Use null where a value is missing.\n\nText:\n«input»\n\nJSON:",
        "{{ticket}|{mail_body}|{ticket} {ticket}}",
    ),
    (
        "Translate the customer's words to {language}, keep product names, and keep the tone {adjective}:\n\n\"\"\"\n«input»\n\"\"\"",
        "{{review}|{ticket}|{product_blurb} {review}}",
    ),
    (
        "Below is a conversation of {company}'s customer service. Write the next reply as {name}. {app_rule}\n\nCustomer: «input»\n{name}:",
        "{{ticket}|{ticket} {ticket}}",
    ),
    (
        "Rate the sentiment of this comment about our {product}s from 1 to {5-10} and name the aspect it is about ({material}, price, delivery, service).\nComment: «input»\nAnswer as \"score; aspect\".",
        "{{review}|{review} {review}}",
    ),
    (
        "Rewrite the following so that it fits the style guide of {company}: {app_rule} {app_rule}\n\nOriginal: «input»\n\nRewritten:",
        "{{product_blurb}|{passage} {passage}|{note} {note}|{clause}}",
    ),
    (
        "A user of the {company} app wrote: «input»\n\nSuggest {three|four|five} short answers the user could tap on. {app_rule}",
        "{{note}|{ticket}|{name}: {note}\n{name}: {note}}",
    ),
    (
        "Context: {company} sells {product}s made of {material} to {audience} in {country}.\nQuestion of a visitor: «input»\nAnswer from the context only; if it is not enough, say that a colleague will call back.",
        "{Do you have {an product} that is {product_detail}?|{ticket}|Is the {colour} {product} {product_detail}? My {relative} needs it in {city} before {month}.}",
    ),
    (
        "You will be given a support ticket. First name the product ({product#1}, {product#2}, {product#3}), then the urgency (low, medium, high), then a one line summary.\n\nTicket: «input»",
        "{{ticket}|{ticket} {ticket}}",
    ),
    (
        "Detect the language of the input and return its two letter code, nothing else. Input: «input»",
        "{{review}|{note} {note}|{verse} / {verse}|{learner}}",
    ),
    (
        "Write {an adjective} headline of at most {6-12} words and a teaser of {20-50/5} words for {audience} from this note:\n«input»",
        "{{note} {note} {note}|{passage} {passage}}",
    ),
    (
        "Check the text for personal data ({sheet_col}, names, addresses). Replace each by a placeholder such as [NAME]. Return the text only.\n\n<text>\n«input»\n</text>",
        "{{mail_body}|{ticket}|{name} {surname}, {city}: {note}}",
    ),
    (
        "Turn the user's request into a search query for the {company} catalogue ({product}s, {product}s, {product}s). Request: «input». Query:",
        "{{an product} in {colour}, {product_detail}|something for {audience}, up to {20-300/10} euros, not {material}|{product} {material} {colour} {city}|a present for my {relative} who likes {hobby}}",
    ),
    (
        "Given the clause, tell a {profession} in plain words what it means, who it favours, and what to ask before signing. {app_rule}\n\nClause: «input»",
        "{{clause}|{clause} {clause}}",
    ),
    (
        "As the {job_role} of {company}, grade the answer of a trainee from 0 to {5-20} points with one sentence of feedback. Task: explain {work_item}.\n\nAnswer: «input»",
        "{{note} {answer_body} {answer_body}|{answer_body} {answer_body} {answer_body}}",
    ),
    (
        "Generate {three|five} quiz questions for {age_group} from the passage. Mark the right option with *.\n\nPassage:\n«input»",
        "{{passage} {passage} {passage}|{passage} {science_term} {passage}}",
    ),
    (
        "Make meeting minutes. Sections: decisions, open points, who does what until when. {app_rule}\n\nTranscript:\n«input»",
        "{{name}: {note}\n{name}: {note}\n{name}: {note} {note}|{name}: {note} {note}\n{name}: {answer_me}\n{name}: {note}}",
    ),
    (
        "Today's {company} horoscope of kitchens: suggest a {dish}-like recipe that uses what the user has at home and takes under {20-60/5} minutes. At home: «input»",
        "{{ingredient}, {ingredient}, {ingredient} and {2-900} g {ingredient}|{ingredient}, a lot of {ingredient}, some {ingredient}|leftover {dish} and {ingredient}}",
    ),
    (
        "Code review bot. Repository: {cs_path}. Language: {prog_lang}. List at most {3-7} problems, most serious first, each with a line number.\n\n«input»",
        "{snippet}",
    ),
    (
        "Does the second text answer the first? Say yes or no and give the reason in {5-20} words.\nFirst: {interview_question}\nSecond: «input»",
        "{{answer_body} {note}|{note} {note}|{passage}}",
    ),
    (
        "You write alt texts and captions for {company}. Describe in {15-40/5} words what the notes below say, for people who cannot see the {product}. Notes: «input»",
        "{{product_blurb} {review}|{an product} made of {material}, {colour}, {product_detail}, next to {an everyday_object}|{review}}",
    ),
];

/// What shows that a text came through an app.
pub(in crate::simulate) const APP_MARKERS: &[&str] =
    &["desk", "notes", "shop", "tutor", "reply", "lens", "form", "sheet", "guide", "pilot", "mate", "hub"];

/// The lists of this table.
pub(super) const LISTS: &[List] = &[(
    "app_rule",
    &[
        "Never mention prices.",
        "Be {adjective} but brief.",
        "Use at most {40-150/10} words.",
        "Answer in the user's language.",
        "Do not invent order numbers.",
        "Refer to {name} for anything about {legal_matter}.",
        "If the input is empty, answer with a dash.",
        "Avoid the word \"{adjective}\".",
        "Write for {audience}.",
        "Use British spelling.",
        "Never give medical or legal advice.",
        "Today's offer is the {colour} {product}.",
        "Do not use lists.",
        "Address the user formally.",
        "Opening hours in {city} are {7-10} to {16-20}.",
        "Ignore greetings and signatures.",
        "Round numbers to whole euros.",
        "End with an offer to help further.",
    ],
)];
