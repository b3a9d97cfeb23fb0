//! Rings as a graph of accounts and families, in GraphML and in GEXF, for networkx, Gephi and their like.
//!
//! The idea: a node for each account on a list of level 1% and for each family of a ring, an edge where the account used the family, weighed by
//! requests. Weakness: days are not in it, and an account of two rings is one node that names both. Guarantee: every text is escaped for XML, and
//! what XML 1.0 forbids (control characters, non-characters) is shown by its number; nodes and edges stand in the order of their names.

use super::Tlp;
use crate::ids::{AccountId, FamilyId};
use crate::report::escape::html as xml;
use crate::report::ring::{READING, Ring};
use std::collections::{BTreeMap, BTreeSet};

/// Requests of an account of a ring in one of its families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The account.
    pub account: AccountId,
    /// The family.
    pub family: FamilyId,
    /// How many.
    pub requests: u64,
}

/// A node: its name and what is said of it, in the order of [`NODE`].
struct Node {
    name: String,
    said: [String; 4],
}

/// What is said of nodes and edges: name and type.
const NODE: [(&str, &str); 4] =
    [("kind", "string"), ("rings", "string"), ("membership", "double"), ("level", "string")];
const EDGE: [(&str, &str); 1] = [("requests", "long")];

fn nodes(rings: &[Ring]) -> Vec<Node> {
    let (mut accounts, mut families) = (BTreeMap::new(), BTreeMap::new());
    for ring in rings {
        for member in ring.members.iter().filter(|member| member.listed) {
            let (named, membership) = accounts.entry(member.account).or_insert_with(|| (BTreeSet::new(), 0.0_f64));
            named.insert(ring.id.as_str());
            *membership = membership.max(member.membership);
        }
        for family in &ring.families {
            families.entry(family.family_id).or_insert_with(BTreeSet::new).insert(ring.id.as_str());
        }
    }
    let words = |rings: &BTreeSet<&str>| rings.iter().copied().collect::<Vec<_>>().join(" ");
    let account = |(id, (rings, membership)): (&AccountId, &(BTreeSet<&str>, f64))| Node {
        name: id.to_string(),
        said: ["account".to_owned(), words(rings), format!("{membership:.6}"), String::new()],
    };
    let family = |(id, rings): (&FamilyId, &BTreeSet<&str>)| Node {
        name: id.to_string(),
        said: ["family".to_owned(), words(rings), String::new(), id.level.word().to_owned()],
    };
    accounts.iter().map(account).chain(families.iter().map(family)).collect()
}

/// Edges between nodes that are there, each once.
fn edges(nodes: &[Node], uses: &[Use]) -> BTreeMap<(String, String), u64> {
    let known: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let mut out = BTreeMap::new();
    for used in uses {
        let ends = (used.account.to_string(), used.family.to_string());
        if known.contains(ends.0.as_str()) && known.contains(ends.1.as_str()) {
            let requests = out.entry(ends).or_insert(0);
            *requests = used.requests.max(*requests);
        }
    }
    out
}

/// GraphML.
#[must_use]
pub fn graphml(rings: &[Ring], uses: &[Use], tlp: Tlp) -> String {
    let nodes = nodes(rings);
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns \
        http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">\n"
        .to_owned();
    let graph = [("tlp", "string"), ("reading", "string")];
    for (of, keys) in [("graph", &graph[..]), ("node", &NODE), ("edge", &EDGE)] {
        for (name, kind) in keys {
            out += &format!("<key id=\"{of}-{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>\n");
        }
    }
    out += "<graph id=\"rings\" edgedefault=\"undirected\">\n";
    for (name, value) in [("tlp", tlp.label()), ("reading", READING.to_owned())] {
        out += &format!("<data key=\"graph-{name}\">{}</data>\n", xml(&value));
    }
    for node in &nodes {
        out += &format!("<node id=\"{}\">", xml(&node.name));
        for ((name, _), value) in NODE.iter().zip(&node.said).filter(|(_, value)| !value.is_empty()) {
            out += &format!("<data key=\"node-{name}\">{}</data>", xml(value));
        }
        out += "</node>\n";
    }
    for ((from, to), requests) in edges(&nodes, uses) {
        let (from, to) = (xml(&from), xml(&to));
        out +=
            &format!("<edge source=\"{from}\" target=\"{to}\"><data key=\"edge-requests\">{requests}</data></edge>\n");
    }
    out + "</graph>\n</graphml>\n"
}

/// GEXF 1.2.
#[must_use]
pub fn gexf(rings: &[Ring], uses: &[Use], tlp: Tlp) -> String {
    let nodes = nodes(rings);
    let about = format!("{}. {READING}", tlp.label());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gexf xmlns=\"http://www.gexf.net/1.2draft\" version=\"1.2\">\n<meta><creator>stillhunt</creator>\
         <description>{}</description><keywords>{}</keywords></meta>\n<graph mode=\"static\" defaultedgetype=\"undirected\">\n",
        xml(&about),
        xml(&tlp.label())
    );
    for (of, keys) in [("node", &NODE[..]), ("edge", &EDGE)] {
        out += &format!("<attributes class=\"{of}\" mode=\"static\">\n");
        for (name, kind) in keys {
            out += &format!("<attribute id=\"{name}\" title=\"{name}\" type=\"{kind}\"/>\n");
        }
        out += "</attributes>\n";
    }
    out += "<nodes>\n";
    for node in &nodes {
        let name = xml(&node.name);
        out += &format!("<node id=\"{name}\" label=\"{name}\"><attvalues>");
        for ((name, _), value) in NODE.iter().zip(&node.said).filter(|(_, value)| !value.is_empty()) {
            out += &format!("<attvalue for=\"{name}\" value=\"{}\"/>", xml(value));
        }
        out += "</attvalues></node>\n";
    }
    out += "</nodes>\n<edges>\n";
    for (i, ((from, to), requests)) in edges(&nodes, uses).into_iter().enumerate() {
        let (from, to) = (xml(&from), xml(&to));
        out += &format!(
            "<edge id=\"{i}\" source=\"{from}\" target=\"{to}\" weight=\"{requests}\"><attvalues><attvalue for=\"requests\" value=\"{requests}\"/></attvalues></edge>\n"
        );
    }
    out + "</edges>\n</graph>\n</gexf>\n"
}
