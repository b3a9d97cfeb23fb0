//! Exports: what a store says of members, families and rings, in any of the formats that each has; for the command and for the server.

use super::members::{Members, export_members};
use super::ranking::{ListQuery, export_families};
use super::rings::{export_rings, rings, rings_page, uses_of};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Level;
use crate::report;
use crate::report::export::{Format, Tlp, What, graph, misp, ocsf, parquet, stix};
use crate::report::ring::{Ring, Rung};
use crate::store::Store;
use serde_json::{Value, json};
use std::io::{self, Write};

/// An export that is wanted.
#[derive(Clone, Debug)]
pub struct Export {
    /// Of what.
    pub what: What,
    /// In which format, one of [`What::formats`].
    pub format: Format,
    /// How it is marked; without one, amber, where the format has a place for a marking. CSV has none, and gets a last column only where one is named.
    pub tlp: Option<Tlp>,
    /// Of rings, those on this rung or above.
    pub least: Rung,
    /// Which families; of members, the level.
    pub families: ListQuery,
}

/// Writes an export. Rings are those that `ring list` shows, with their members on the list of level 1%.
/// # Errors
/// `Config` when this has no such format; `Store` when the store is damaged; `Io` when `out` cannot be written.
pub fn export(store: &Store, wanted: &Export, out: &mut dyn Write) -> Result<()> {
    let tlp = wanted.tlp.unwrap_or_default();
    wanted.what.format(wanted.format.word())?;
    match (wanted.format, wanted.tlp) {
        (Format::Csv, Some(tlp)) => csv(store, wanted, &mut Marked { out, tlp, in_header: true }),
        (Format::Csv, None) => csv(store, wanted, out),
        (format, _) => match wanted.what {
            What::Members => {
                let levels = levels(wanted);
                let members = Members::of(store, &levels)?;
                parquet::members(&mut |take| members.each(take), tlp, out)
            }
            What::Families => {
                let families = export_families(store, &wanted.families)?;
                if format == Format::Parquet {
                    return parquet::families(&families, tlp, out);
                }
                write(out, &line(&json!({ "schema": 1, "tlp": tlp.label(), "families": families })))
            }
            What::Rings => of_rings(store, wanted, tlp, out),
        },
    }
}

/// The levels of members that are wanted.
fn levels(wanted: &Export) -> Vec<Level> {
    let all = || vec![Level::Exact, Level::NearDuplicate, Level::Fragment];
    wanted.families.level.map_or_else(all, |level| vec![level])
}

fn csv(store: &Store, wanted: &Export, out: &mut dyn Write) -> Result<()> {
    match wanted.what {
        What::Members => export_members(store, &levels(wanted), out).map(|_| ()),
        What::Families => write(out, &report::csv::families(&export_families(store, &wanted.families)?)),
        What::Rings => write(out, &export_rings(store, wanted.least)?),
    }
}

fn of_rings(store: &Store, wanted: &Export, tlp: Tlp, out: &mut dyn Write) -> Result<()> {
    let (all, meta) = rings(store)?;
    let rings: Vec<Ring> = all.into_iter().filter(|ring| ring.rung >= wanted.least).collect();
    let text = match wanted.format {
        Format::Stix => line(&stix::bundle(&rings, &meta, tlp)),
        Format::Ocsf => ocsf::lines(&rings, &meta, tlp),
        Format::Misp => line(&misp::events(&rings, &meta, tlp)),
        Format::GraphMl => graph::graphml(&rings, &uses_of(store, &rings)?, tlp),
        Format::Gexf => graph::gexf(&rings, &uses_of(store, &rings)?, tlp),
        Format::Parquet => return parquet::rings(&rings, tlp, out),
        Format::Json | Format::Csv => {
            let mut page = rings_page(&rings, &meta, false);
            page["tlp"] = json!(tlp.label());
            for (shown, ring) in page["rings"].as_array_mut().into_iter().flatten().zip(&rings) {
                shown["members"] =
                    ring.members.iter().filter(|member| member.listed).map(|member| json!(member)).collect();
            }
            line(&page)
        }
    };
    write(out, &text)
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn write(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write the export: {cause}")))
}

/// CSV with its marking in a last column. No cell of an export holds a line feed, so each ends a row.
struct Marked<'a> {
    out: &'a mut dyn Write,
    tlp: Tlp,
    in_header: bool,
}

impl Write for Marked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(row) = part.strip_suffix(b"\n") else {
                self.out.write_all(part)?;
                continue;
            };
            self.out.write_all(row)?;
            let cell = if self.in_header { "tlp".to_owned() } else { self.tlp.label() };
            writeln!(self.out, ",{cell}")?;
            self.in_header = false;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_table_has_one_more_column_however_it_is_written() {
        let text = "\"a\",b\n\"1\",2\n3,4\n";
        for n in 1..text.len() {
            let mut bytes = Vec::new();
            let mut marked = Marked { out: &mut bytes, tlp: Tlp::AmberStrict, in_header: true };
            text.as_bytes().chunks(n).for_each(|part| marked.write_all(part).expect("written"));
            let expected = "\"a\",b,tlp\n\"1\",2,TLP:AMBER+STRICT\n3,4,TLP:AMBER+STRICT\n";
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "in parts of {n}");
        }
    }
}
