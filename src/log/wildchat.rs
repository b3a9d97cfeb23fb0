//! WildChat's schema: a whole conversation in a row, one exchange for every user turn.
//!
//! The account is the hashed address. Of the response an exchange has the assistant's turns up to the next user turn; its
//! earlier turns are the conversation so far. The time of a turn is its own, else that of the answer to it, else that of
//! the conversation.
//!
//! Weakness: handing every exchange the whole conversation before it would take memory quadratic in the row, so the copies
//! of one row are bounded by four times its text or 16 MiB, whichever is more. What an ordinary conversation needs is far
//! below that; beyond it the oldest turns are left out, and the attribute `turns_left_out` says how many.

use super::draft::{Draft, Origin, kept};
use super::messages::Talk;
use super::value::{Object, first_word, get, scalar, small, structure, take};
use super::{Fault, Reason};
use crate::exchange::Turn;
use serde_json::Value;

/// How many times the text of a row its earlier turns may be copied, and how many bytes they may always take.
const COPIES: usize = 4;
const ALWAYS: usize = 16 << 20;

/// Most user turns of a row, and longest name that its exchanges share: together they bound what a row can grow to.
const PARTS: usize = 10_000;
const NAME: usize = 1024;

/// Whether a row is a conversation of this schema.
pub(crate) fn is_wildchat(row: &Object) -> bool {
    let listed = get(row, "conversation")
        .is_some_and(|list| list.is_array() || list.as_str().is_some_and(|text| text.trim_start().starts_with('[')));
    listed && ["conversation_hash", "hashed_ip"].iter().any(|name| get(row, name).is_some())
}

/// What a schema of whole conversations calls its fields.
pub(crate) struct Names {
    pub(crate) schema: &'static str,
    pub(crate) account: &'static str,
    pub(crate) time: &'static str,
    /// Where the turns are.
    pub(crate) said: &'static str,
}

const WILDCHAT: Names = Names { schema: "wildchat", account: "hashed_ip", time: "timestamp", said: "conversation" };

/// The exchanges of a row.
pub(crate) fn drafts(row: Object) -> Result<Vec<Draft>, Fault> {
    named(row, &WILDCHAT)
}

/// The exchanges of a row of another schema that was turned into this one.
pub(crate) fn named(mut row: Object, names: &Names) -> Result<Vec<Draft>, Fault> {
    structure(&mut row, &["conversation"]);
    let Some(Value::Array(turns)) = take(&mut row, "conversation") else {
        return Err(Fault::new(Reason::NoPrompt, "expected a list of turns in `conversation`, got other JSON"));
    };
    let account = take(&mut row, "hashed_ip");
    let time = take(&mut row, "timestamp");
    if !account.iter().chain(&time).all(|value| small(value, NAME + 2)) {
        let detail = format!("expected a hashed_ip and a timestamp of at most {NAME} bytes");
        return Err(Fault::new(Reason::BadAccount, detail));
    }
    let short = |name: &str| first_word(&row, &[name]).filter(|text| text.len() <= NAME);
    let (model, conversation) = (short("model"), short("conversation_hash"));
    ["model", "conversation_hash", "turn", "conversation_id"].iter().for_each(|name| drop(row.remove(*name)));
    let shared = kept(&row, &[]);

    // System turns are taken out first, so that no walk back over a conversation has to step over them.
    let spoken = turns.iter().enumerate().filter_map(|(at, turn)| spoken(turn).map(|turn| (at, turn)));
    let (system, said): (Vec<_>, Vec<_>) = spoken.partition(|(_, turn)| turn.role == "system");
    let system = system.iter().map(|(_, turn)| turn.text.as_str()).collect::<Vec<_>>().join("\n");
    let asked: Vec<usize> = (0..said.len()).filter(|i| said[*i].1.role == "user").collect();
    let cost = |turn: &Turn| turn.text.len() + 128;
    if asked.len() > PARTS {
        let detail = format!("expected at most {PARTS} user turns in a row, got {}", asked.len());
        return Err(Fault::new(Reason::TooLong, detail));
    }
    let text = system.len() + said.iter().map(|(_, turn)| cost(turn)).sum::<usize>();
    let budget = (COPIES * text).max(ALWAYS) / asked.len().max(1);
    let mut origin = Origin { schema: names.schema, ..Origin::default() };
    for (field, path) in
        [("account", names.account), ("time", names.time), ("prompt", names.said), ("response", names.said)]
    {
        origin.from(field, path);
    }
    let mut drafts = Vec::new();
    for (nth, &at) in asked.iter().enumerate() {
        let until = asked.get(nth + 1).copied().unwrap_or(said.len());
        let answers = || said[at + 1..until].iter().filter(|(_, turn)| turn.role == "assistant");
        let response: Vec<&str> = answers().map(|(_, turn)| turn.text.as_str()).collect();
        let field = |index: usize, name: &str| turns[index].as_object().and_then(|turn| get(turn, name)).cloned();
        let mut left = budget;
        let mut earlier = Vec::new();
        for (_, turn) in said[..at].iter().rev() {
            let Some(rest) = left.checked_sub(cost(turn)) else { break };
            left = rest;
            earlier.push(turn.clone());
        }
        let left_out = at - earlier.len();
        earlier.reverse();
        let index = said[at].0;
        let mut attributes = shared.clone();
        if let Some(turn) = turns[index].as_object() {
            attributes.extend(kept(turn, &["role", "content", "timestamp", "hashed_ip", "turn_identifier"]));
        }
        if left_out > 0 {
            attributes.insert("turns_left_out".to_owned(), left_out.into());
        }
        drafts.push(Draft {
            id: field(index, "turn_identifier"),
            account: account.clone().or_else(|| field(index, "hashed_ip")),
            time: field(index, "timestamp")
                .or_else(|| answers().find_map(|(answer, _)| field(*answer, "timestamp")))
                .or_else(|| time.clone()),
            model: model.clone(),
            prompt: Some(said[at].1.text.clone()),
            system: (nth == 0 || system.len() <= budget).then(|| system.clone()),
            response: Some(response.join("\n")),
            conversation: conversation.clone(),
            turns: earlier,
            attributes,
            origin: origin.clone(),
            ..Draft::default()
        });
    }
    if drafts.is_empty() {
        return Err(Fault::new(
            Reason::NoPrompt,
            format!("expected a user turn, got {} turns and none of a user", turns.len()),
        ));
    }
    Ok(drafts)
}

/// What a turn says, where it says something.
fn spoken(turn: &Value) -> Option<Turn> {
    let turn = turn.as_object()?;
    let role = get(turn, "role").and_then(scalar)?;
    Talk::one(&role, get(turn, "content")?)
}
