//! The command `ring`, and rings as an audit prints them.

use super::args;
use super::format::{Format, only};
use super::lookups::opened;
use super::print;
use crate::error::{Error, ErrorKind, Result};
use crate::lookup;
use crate::report::date_of;
use crate::report::ring::{Ring, RingsMeta};

pub(crate) fn ring(args: &args::Ring) -> Result<()> {
    only(args.format, &[Format::Text, Format::Json])?;
    let (mut rings, meta) = lookup::rings(&opened(&args.store, args.checked)?)?;
    if args.ring != "list" {
        rings.retain(|ring| ring.id == args.ring);
        if rings.is_empty() {
            let message = format!("expected a ring of the store, got {:?}", args.ring);
            return Err(Error::new(ErrorKind::Input, message).hint("stillhunt ring list shows them"));
        }
    }
    if args.format == Format::Json {
        let members = if args.ring == "list" { serde_json::Value::Null } else { serde_json::json!(rings[0].members) };
        let mut page = serde_json::json!({ "schema": 1, "rings": rings, "rings_meta": meta });
        if !members.is_null() {
            page["members"] = members;
        }
        return print::json(&page);
    }
    print::out(&if args.ring == "list" { table(&rings, &meta) } else { page(&rings[0], &meta) })
}

/// The list of rings, as people read it.
pub(super) fn table(rings: &[Ring], meta: &RingsMeta) -> String {
    if rings.is_empty() {
        return format!("no ring is confirmed\n{}", behind(meta));
    }
    let mut out = "ring              accounts requests families gamma* log10 E  proposed    confirmed\n".to_owned();
    for ring in rings {
        out += &format!(
            "{} {:>8} {:>8} {:>8} {:>6} {:>7.1}  {}  {}\n",
            ring.id,
            ring.accounts,
            ring.requests,
            ring.families.len(),
            ring.gamma_star,
            ring.log10_e,
            date_of(ring.first_proposed),
            date_of(ring.confirmed_night)
        );
    }
    out + &behind(meta)
}

fn behind(meta: &RingsMeta) -> String {
    format!("\n{}\n", meta.words())
}

fn page(ring: &Ring, meta: &RingsMeta) -> String {
    let mut out = format!(
        "{} ({}, rung: {})\n{} accounts, {} requests in its families; proposed {}, confirmed {}; gamma* {}, log10 E {:.1}\n\nfamilies\nday         accounts     of  family\n",
        ring.id,
        ring.route.word(),
        ring.rung.word(),
        ring.accounts,
        ring.requests,
        date_of(ring.first_proposed),
        date_of(ring.confirmed_night),
        ring.gamma_star,
        ring.log10_e
    );
    for family in ring.families.iter().take(30) {
        let day = date_of(family.day);
        out += &format!("{day}  {:>8} {:>6}  {}\n", family.accounts, family.of, family.family_id);
    }
    out += "\nmembership  shared  account\n";
    for member in ring.members.iter().take(30) {
        let listed = if member.listed { "" } else { "  (level 5% only)" };
        out += &format!("{:>10.4} {:>7}  {}{listed}\n", member.membership, member.shared, member.account);
    }
    if ring.members.len() > 30 {
        out += &format!("and {} more (export rings has those of level 1%)\n", ring.members.len() - 30);
    }
    out + &behind(meta)
}
