//! The table of routes: long because it is one table, of which the router, the checks of what is given and the document of the API are made.
//!
//! The idea: one source of truth, so that a route cannot be there and not be described. Guarantee: a test asks every route of the table with
//! every role.

use super::answers::{Answer, Asked, files, lists, said, texts};
use super::desk::Held;
use super::given::{DISPOSITIONS, KINDS, Kind, LEVELS, Param, RUNGS, may, must};
use super::who::Role;
use super::{MOST_TEXT, State, sessions};
use crate::report::export::{FORMAT_WORDS, TLP_WORDS};
use std::sync::Arc;

/// Who answers: of the store as of one commit, or of the server alone.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Store(fn(&State, &Arc<Held>, &Asked) -> Answer),
    Plain(fn(&State, &Asked) -> Answer),
}

/// A route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// The least role; none where nobody needs to say who they are.
    pub(super) least: Option<Role>,
    pub(super) about: &'static str,
    pub(super) in_path: &'static [Param],
    pub(super) query: &'static [Param],
    /// Whether other values in the query, and empty ones, are passed over: those of a program that is not ours.
    pub(super) others: bool,
    pub(super) body: &'static [Param],
    /// Of these values of the body exactly one is given.
    pub(super) one_of: &'static [&'static str],
    /// Where the first of these is given, the second is one of the words.
    pub(super) goes_with: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// Status of a success.
    pub(super) status: u16,
    /// Fields of the answer with their JSON types; none where it is no JSON object.
    pub(super) answer: &'static [(&'static str, &'static str)],
    pub(super) handler: Handler,
}

const GET: Route = Route {
    method: "GET",
    path: "",
    least: Some(Role::Viewer),
    about: "",
    in_path: &[],
    query: &[],
    others: false,
    body: &[],
    one_of: &[],
    goes_with: &[],
    status: 200,
    answer: &[],
    handler: Handler::Plain(files::healthy),
};
const POST: Route = Route { method: "POST", least: Some(Role::Analyst), ..GET };

const EXPORT: Route = Route { least: Some(Role::Analyst), ..GET };
const TLP: Param = may("tlp", Kind::Word(&TLP_WORDS), "Marking of the Traffic Light Protocol 2.0; amber without it");
const OF_LEVEL: Param = may("level", Kind::Word(LEVELS), "Only of this level");

const LIMIT: Param = may("limit", Kind::Number(1, 500), "How many at most; 50 without it");
/// What the cursor of a list is.
const NEXT: &str = "The field next of the page before";
/// The cursor of lists whose rows have numbers.
const ROW: Kind = Kind::Number(1, 1 << 53);
/// The cursor of a list of accounts, and what such a list answers.
const BEHIND: Param = may("cursor", Kind::Account, "The field next of the page before: only accounts behind this one");
const MEMBERS: &[(&str, &str)] = &[("schema", "integer"), ("members", "array"), ("next", "string or null")];
/// What a chain of rows answers.
const CHAIN: &[(&str, &str)] =
    &[("schema", "integer"), ("rows", "array"), ("head", "object"), ("faults", "array"), ("next", "integer or null")];
const PURPOSE: Param = may("purpose", Kind::Text(500), "What it is wanted for; it is logged");

/// What lists and searches take.
const OF_FAMILIES: &[Param] = &[
    LIMIT,
    may("cursor", Kind::Place, NEXT),
    may("level", Kind::Word(LEVELS), "Only of this level; without it all but system prompts"),
    may("since", Kind::Moment, "Only those seen at or after this moment"),
    may("until", Kind::Moment, "Only those seen before this moment"),
    may("from_night", Kind::Number(0, u32::MAX as u64), "Only those with a request of this night or a later one"),
    may("to_night", Kind::Number(0, u32::MAX as u64), "Only those with a request of this night or an earlier one"),
    may("model", Kind::Text(1_000), "Only those with a request to this served model"),
    may("account", Kind::Account, "Only those that this account used; not for viewers"),
    may("stratum", Kind::Text(2_000), "Only those that the known text of this name explains; not for viewers"),
    may(
        "least_percent",
        Kind::Number(0, 100),
        "Only those whose texts are at least so similar to each other, in hundredths",
    ),
    may("new", Kind::Flag, "Only those whose exchanges are all of the newest night"),
    may("accounts", Kind::Number(0, u32::MAX as u64), "Only those with at least so many accounts"),
    may("trivial", Kind::Flag, "Families of trivial texts too"),
];
const OF_RINGS: &[Param] = &[
    LIMIT,
    may("cursor", Kind::Ring, NEXT),
    may("rung", Kind::Word(RUNGS), "Only those on this rung or above"),
    may("account", Kind::Account, "Only those that this account may belong to"),
    may("since", Kind::Moment, "Only those that shared something on the day of this moment or a later one"),
    may("until", Kind::Moment, "Only those that shared something on a day that began before this moment"),
    may("family", Kind::Family, "Only those that shared this family"),
    may("level", Kind::Word(LEVELS), "Only those that shared a family of this level"),
];
const OF_SIMILAR: &[Param] = &[
    must("text", Kind::Text(MOST_TEXT), "The text"),
    may("k", Kind::Number(1, 1_000), "How many at most; 10 without it"),
    PURPOSE,
    may("since", Kind::Moment, "Only exchanges at or after this moment"),
    may("until", Kind::Moment, "Only exchanges before this moment"),
    may("from_night", Kind::Number(0, u32::MAX as u64), "Only exchanges of this night or a later one"),
    may("to_night", Kind::Number(0, u32::MAX as u64), "Only exchanges of this night or an earlier one"),
    may("account", Kind::Account, "Only this account's"),
    may("model", Kind::Text(1_000), "Only those that asked this model"),
    may("family", Kind::Family, "Only members of this family"),
    may("least_percent", Kind::Number(0, 100), "Only those of at least this similarity, in hundredths"),
];
/// Of these, what a saved question does not hold.
const NOT_SAVED: &[&str] = &["limit", "cursor", "purpose"];

/// Kinds of the registry that a text may be of: all but a gateway, which is an account.
const KINDS_OF_TEXT: &[&str] = &["app", "sdk", "course", "benchmark", "published"];

/// All routes.
pub(super) static ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/session",
        least: None,
        about: "Log in: a token for a cookie",
        body: &[
            must("token", Kind::Text(500), "The access token"),
            may(
                "purpose",
                Kind::Text(500),
                "What texts are wanted for until logging out; each reading of one is logged with it",
            ),
        ],
        answer: SESSION,
        handler: Handler::Plain(sessions::open_session),
        ..POST
    },
    Route {
        path: "/api/v1/session",
        about: "Who asks: name, role, purpose, when it ends",
        answer: SESSION,
        handler: Handler::Plain(sessions::session),
        ..GET
    },
    Route {
        method: "DELETE",
        path: "/api/v1/session",
        about: "Log out",
        status: 204,
        handler: Handler::Plain(sessions::close_session),
        ..GET
    },
    #[cfg(feature = "oidc")]
    Route {
        path: "/api/v1/oidc",
        least: None,
        about: "Whether people log in by an identity provider, and where that begins",
        answer: &[("schema", "integer"), ("enabled", "boolean"), ("login", "string")],
        handler: Handler::Plain(sessions::provider),
        ..GET
    },
    #[cfg(feature = "oidc")]
    Route {
        path: super::oidc::BEGIN,
        least: None,
        about: "Begin to log in by the identity provider: leads there",
        query: &[may("purpose", Kind::Text(500), "What texts are wanted for until logging out")],
        status: 303,
        handler: Handler::Plain(sessions::begin_login),
        ..GET
    },
    #[cfg(feature = "oidc")]
    Route {
        path: super::oidc::BACK,
        least: None,
        about: "Where the identity provider leads back to: opens a session and leads to the page",
        query: &[
            may("code", Kind::Text(8_000), "What is exchanged for who it is"),
            may("state", Kind::Text(8_000), "What was sent along"),
            may("error", Kind::Text(2_000), "Why nobody is let in"),
        ],
        others: true,
        status: 303,
        handler: Handler::Plain(sessions::end_login),
        ..GET
    },
    Route {
        path: "/api/v1/tonight",
        about: "The report on the newest night, and what it changed",
        query: &[may("families", Kind::Number(0, 100), "Families of each list at most; 25 without it")],
        answer: &[
            ("schema", "integer"),
            ("parameters", "object"),
            ("counts", "object"),
            ("store", "object"),
            ("nights", "array"),
            ("quarantined", "array"),
            ("rings", "array"),
            ("rings_meta", "object"),
            ("families_total", "integer"),
            ("families", "array"),
            ("trivial_families", "array"),
            ("system_families", "array"),
            ("known_families", "array"),
            ("removed", "object"),
            ("notes", "array"),
            ("changed", "object"),
        ],
        handler: Handler::Store(lists::tonight),
        ..GET
    },
    Route {
        path: "/api/v1/nights",
        about: "Nights, the newest first, and the store as a whole",
        query: &[may("limit", Kind::Number(1, 100), "How many at most; 50 without it"), may("cursor", ROW, NEXT)],
        answer: &[
            ("schema", "integer"),
            ("night", "integer"),
            ("digest", "string"),
            ("nights", "array"),
            ("store", "object"),
            ("next", "integer or null"),
        ],
        handler: Handler::Store(lists::nights),
        ..GET
    },
    Route {
        path: "/api/v1/families",
        about: "Families, most accounts first",
        query: OF_FAMILIES,
        answer: &[("schema", "integer"), ("families", "array"), ("next", "string or null")],
        handler: Handler::Store(lists::families),
        ..GET
    },
    Route {
        path: "/api/v1/families/{id}",
        about: "A family with its accounts (the first 200, of most requests), rings and exchanges",
        in_path: &[must("id", Kind::Family, "Its name")],
        query: &[may("whole", Kind::Flag, "Texts in full length, for whoever has said what they are wanted for")],
        answer: &[
            ("schema", "integer"),
            ("family", "object"),
            ("members", "array"),
            ("members_left_out", "integer or null"),
            ("rings", "array"),
            ("exchanges", "array"),
        ],
        handler: Handler::Store(lists::family),
        ..GET
    },
    Route {
        path: "/api/v1/families/{id}/accounts",
        least: Some(Role::Analyst),
        about: "Accounts of a family, most requests first",
        in_path: &[must("id", Kind::Family, "Its name")],
        query: &[LIMIT, BEHIND],
        answer: MEMBERS,
        handler: Handler::Store(lists::family_accounts),
        ..GET
    },
    Route {
        path: "/api/v1/accounts/{id}",
        least: Some(Role::Analyst),
        about: "An account with its families and rings",
        in_path: &[must("id", Kind::Account, "Its pseudonym")],
        answer: &[
            ("schema", "integer"),
            ("account", "string"),
            ("requests", "integer"),
            ("distinct_prompts", "integer"),
            ("first_seen", "string"),
            ("last_seen", "string"),
            ("models", "array"),
            ("trivial_requests", "integer"),
            ("hours", "array"),
            ("shares_with", "array"),
            ("rings", "array"),
            ("families", "array"),
        ],
        handler: Handler::Store(lists::account),
        ..GET
    },
    Route {
        path: "/api/v1/accounts/{id}/behind",
        least: Some(Role::Analyst),
        about: "Rings among the end users of an account, found anew from all its days: minutes on a large store, so one such question is answered at a time, and it is logged",
        in_path: &[must("id", Kind::Account, "The pseudonym of the gateway")],
        answer: &[
            ("schema", "integer"),
            ("gateway", "string"),
            ("end_users", "integer"),
            ("exchanges", "integer"),
            ("unnamed", "integer"),
            ("rings", "array"),
            ("rings_meta", "object"),
            ("members", "object"),
            ("members_left_out", "object"),
        ],
        handler: Handler::Store(lists::behind),
        ..GET
    },
    Route {
        path: "/api/v1/placebo",
        least: Some(Role::Analyst),
        about: "The realised error: what walks through all days without their coordination confirm; one such question is answered at a time",
        query: &[
            may(
                "walks",
                Kind::Number(1, 20),
                "How many of each of three kinds; 10 without it. The command line walks more often",
            ),
            may("seed", Kind::Number(0, 1 << 53), "Their seed; 1 without it"),
        ],
        answer: &[("schema", "integer"), ("placebo", "array")],
        handler: Handler::Store(lists::placebo),
        ..GET
    },
    Route {
        path: "/api/v1/rings",
        about: "Rings, the surest first, and what stands behind the list",
        query: OF_RINGS,
        answer: &[("schema", "integer"), ("rings", "array"), ("rings_meta", "object"), ("next", "string or null")],
        handler: Handler::Store(lists::rings),
        ..GET
    },
    Route {
        path: "/api/v1/rings/{id}",
        about: "A ring with its members (the first 200, the likeliest), and who of them used what",
        in_path: &[must("id", Kind::Ring, "Its name")],
        answer: &[
            ("schema", "integer"),
            ("rings", "array"),
            ("rings_meta", "object"),
            ("members", "array"),
            ("members_left_out", "integer or null"),
            ("uses", "array"),
            ("by_night", "array"),
            ("moments", "array"),
            ("moments_left_out", "integer"),
        ],
        handler: Handler::Store(lists::ring),
        ..GET
    },
    Route {
        path: "/api/v1/rings/{id}/members",
        least: Some(Role::Analyst),
        about: "Members of a ring, the likeliest first",
        in_path: &[must("id", Kind::Ring, "Its name")],
        query: &[LIMIT, BEHIND],
        answer: MEMBERS,
        handler: Handler::Store(lists::ring_members),
        ..GET
    },
    Route {
        path: "/api/v1/rings/{id}/notes",
        about: "Note something about a ring",
        in_path: &[must("id", Kind::Ring, "Its name")],
        body: &[must("text", Kind::Text(10_000), "The note")],
        status: 201,
        answer: SAID,
        handler: Handler::Store(said::note),
        ..POST
    },
    Route {
        path: "/api/v1/rings/{id}/disposition",
        about: "Say what a ring is",
        in_path: &[must("id", Kind::Ring, "Its name")],
        body: &[must("disposition", Kind::Word(DISPOSITIONS), "The verdict"), may("note", Kind::Text(10_000), "Why")],
        status: 201,
        answer: SAID,
        handler: Handler::Store(said::dispose),
        ..POST
    },
    Route {
        path: "/api/v1/rings/{id}/assignee",
        about: "Say who is to look into a ring",
        in_path: &[must("id", Kind::Ring, "Its name")],
        body: &[may("assignee", Kind::Text(200), "The name; without it nobody")],
        status: 201,
        answer: &[
            ("schema", "integer"),
            ("ring", "string"),
            ("author", "string"),
            ("time", "string"),
            ("assignee", "string or null"),
        ],
        handler: Handler::Store(said::assign),
        ..POST
    },
    Route {
        path: "/api/v1/saved",
        least: Some(Role::Analyst),
        about: "Questions that were kept to ask them again: one's own, and what others share, oldest first",
        query: &[LIMIT, may("cursor", ROW, NEXT)],
        answer: &[("schema", "integer"), ("saved", "array"), ("next", "integer or null")],
        handler: Handler::Store(said::saved),
        ..GET
    },
    Route {
        path: "/api/v1/saved",
        about: "Keep a question: the values of one list or search, at most 8,000 bytes of them; 200 questions a person",
        body: &[
            must("name", Kind::Text(200), "What it is called"),
            may("shared", Kind::Flag, "Whether others see it; not without this"),
            may("families", Kind::Values(OF_FAMILIES, NOT_SAVED), "What the list of families takes"),
            may("rings", Kind::Values(OF_RINGS, NOT_SAVED), "What the list of rings takes"),
            may("similar", Kind::Values(OF_SIMILAR, NOT_SAVED), "What a search for similar prompts takes"),
        ],
        one_of: said::ASKS,
        status: 201,
        answer: &[("schema", "integer"), ("id", "integer")],
        handler: Handler::Store(said::save),
        ..POST
    },
    Route {
        method: "DELETE",
        path: "/api/v1/saved/{id}",
        least: Some(Role::Analyst),
        about: "Take a question away: one's own; an admin takes anybody's",
        in_path: &[must("id", Kind::Number(1, 1 << 53), "Its number")],
        status: 204,
        handler: Handler::Store(said::unsave),
        ..GET
    },
    Route {
        path: "/api/v1/similar",
        least: Some(Role::Viewer),
        about: "Prompts similar to a text, and who sent them",
        body: OF_SIMILAR,
        answer: &[
            ("schema", "integer"),
            ("threshold", "number"),
            ("hits", "array"),
            ("fragments", "array"),
            ("notes", "array"),
        ],
        handler: Handler::Store(texts::similar),
        ..POST
    },
    Route {
        path: "/api/v1/exchanges/{id}",
        least: Some(Role::Analyst),
        about: "An exchange as it came, in full length, with a purpose: logged first, shown after",
        in_path: &[must("id", Kind::Text(4_096), "The log's own id of it")],
        answer: &[("schema", "integer"), ("exchange", "string"), ("account", "string"), ("text", "string")],
        handler: Handler::Store(texts::exchange),
        ..GET
    },
    Route {
        path: "/api/v1/reveal",
        about: "The name behind a pseudonym, or an exchange as it came: logged first, shown after",
        body: &[
            may("account", Kind::Text(500), "Pseudonym of an account, or its own name"),
            may("exchange", Kind::Text(4_096), "The log's own id of an exchange"),
            must("purpose", Kind::Text(500), "What it is wanted for; it is logged"),
        ],
        one_of: &["account", "exchange"],
        answer: &[("schema", "integer"), ("account", "string")],
        handler: Handler::Store(texts::reveal),
        ..POST
    },
    Route {
        path: "/api/v1/registry",
        least: Some(Role::Analyst),
        about: "Known innocent texts and gateways, oldest first",
        query: &[LIMIT, may("cursor", ROW, NEXT)],
        answer: &[("schema", "integer"), ("entries", "array"), ("total", "integer"), ("next", "integer or null")],
        handler: Handler::Store(said::registry),
        ..GET
    },
    Route {
        path: "/api/v1/registry",
        about: "Register a text, its digest, or the account of a gateway",
        body: &[
            must("name", Kind::Text(2_000), "Its name"),
            must("kind", Kind::Word(KINDS), "What kind of thing it is"),
            may("text", Kind::Text(MOST_TEXT), "The text"),
            may("digest", Kind::Digest, "The digest that reports print of a fragment, or that of a folded prompt"),
            may("account", Kind::Account, "The account of a gateway"),
            must("provenance", Kind::Text(2_000), "Where it is known from"),
            may("public_since", Kind::Moment, "Since when it is public"),
        ],
        one_of: &["text", "digest", "account"],
        goes_with: &[
            ("text", "kind", KINDS_OF_TEXT),
            ("digest", "kind", KINDS_OF_TEXT),
            ("account", "kind", &["gateway"]),
        ],
        status: 201,
        answer: &[("schema", "integer"), ("added", "integer")],
        handler: Handler::Store(said::register),
        ..POST
    },
    Route {
        method: "DELETE",
        path: "/api/v1/registry",
        least: Some(Role::Admin),
        about: "Take all entries of a name out of the registry",
        query: &[must("name", Kind::Text(2_000), "The name")],
        answer: &[("schema", "integer"), ("removed", "integer")],
        handler: Handler::Store(said::unregister),
        ..GET
    },
    Route {
        path: "/api/v1/registry/suggest",
        least: Some(Role::Analyst),
        about: "Families that may belong into the registry",
        answer: &[("schema", "integer"), ("candidates", "array")],
        handler: Handler::Store(said::suggest),
        ..GET
    },
    Route {
        path: "/api/v1/export/members",
        about: "Who is in which family, as the command export prints it, as a stream",
        query: &[may("format", Kind::Word(&["csv", "parquet"]), "csv without it"), TLP, OF_LEVEL],
        handler: Handler::Store(files::export_members),
        ..EXPORT
    },
    Route {
        path: "/api/v1/export/families",
        about: "Families, as the command export prints them, as a stream; with a purpose, since they hold texts",
        query: &[
            may("format", Kind::Word(&["csv", "json", "parquet"]), "csv without it"),
            TLP,
            OF_LEVEL,
            may("since", Kind::Moment, "Only families seen at or after this moment"),
            may("new", Kind::Flag, "Only families whose exchanges are all of the newest night"),
            may("accounts", Kind::Number(0, u32::MAX as u64), "Only families with at least so many accounts"),
        ],
        handler: Handler::Store(files::export_families),
        ..EXPORT
    },
    Route {
        path: "/api/v1/export/rings",
        about: "Rings, as the command export prints them, as a stream",
        query: &[
            may("format", Kind::Word(&FORMAT_WORDS), "csv without it"),
            TLP,
            may("rung", Kind::Word(RUNGS), "Those on this rung or above"),
        ],
        handler: Handler::Store(files::export_rings),
        ..EXPORT
    },
    Route {
        path: "/api/v1/custody",
        least: Some(Role::Analyst),
        about: "The chain of custody of the store, the newest rows first, and whether it is whole",
        query: &[LIMIT, may("cursor", ROW, NEXT)],
        answer: CHAIN,
        handler: Handler::Store(files::custody),
        ..GET
    },
    Route {
        path: "/api/v1/log",
        least: Some(Role::Admin),
        about: "The access log, the newest rows first, and what is wrong with its chain: each row is checked when the server first reads it, and when it is shown",
        query: &[LIMIT, may("cursor", ROW, NEXT)],
        answer: CHAIN,
        handler: Handler::Plain(files::access),
        ..GET
    },
    Route {
        path: "/api/v1/openapi.json",
        least: None,
        about: "This document",
        answer: &[("openapi", "string"), ("paths", "object")],
        handler: Handler::Plain(files::document),
        ..GET
    },
    Route {
        path: "/healthz",
        least: None,
        about: "The server answers",
        answer: &[("status", "string")],
        handler: Handler::Plain(files::healthy),
        ..GET
    },
    Route {
        path: "/readyz",
        least: None,
        about: "The store opens: its newest night and the digest over its files",
        answer: &[("status", "string"), ("night", "integer"), ("digest", "string")],
        handler: Handler::Store(files::ready),
        ..GET
    },
    Route {
        path: "/metrics",
        least: None,
        about: "Counts of the server, for Prometheus",
        handler: Handler::Plain(files::metrics),
        ..GET
    },
];

const SESSION: &[(&str, &str)] = &[
    ("schema", "integer"),
    ("name", "string"),
    ("role", "string"),
    ("purpose", "string or null"),
    ("expires", "string or null"),
    ("k", "integer"),
    ("version", "string"),
];
const SAID: &[(&str, &str)] = &[
    ("schema", "integer"),
    ("ring", "string"),
    ("author", "string"),
    ("time", "string"),
    ("disposition", "string or null"),
];
