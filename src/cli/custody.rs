//! Who does something to a store and when, for its chain of custody; and the commands that show and check the chain.
//!
//! No name of an account, no text and no path goes into a row: accounts and texts can be forgotten, and what was read is told by digest.
#![allow(clippy::disallowed_methods)]

use super::evidence_args::CustodyCommand;
use super::format::Format;
use super::{alerts, evidence, print};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Time;
use crate::store::Store;
use crate::store::custody::{self, Act};

/// The name of whoever runs the program: the login name.
pub(super) fn login() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// An act of now; `author` in the place of the login name.
pub(super) fn act(author: Option<&str>, command: &str, arguments: Vec<String>) -> Result<Act> {
    Ok(Act {
        author: author.map_or_else(login, str::to_owned),
        time: alerts::now()?,
        command: command.to_owned(),
        arguments,
        inputs: Vec::new(),
        result: None,
    })
}

pub(super) fn run(command: &CustodyCommand) -> Result<()> {
    match command {
        CustodyCommand::Show { store, format } => {
            let rows = custody::rows(&Store::open(store)?)?;
            if *format == Format::Json {
                let (row, head) = custody::head(&rows);
                return print::json(
                    &serde_json::json!({ "schema": 1, "rows": rows, "head": { "row": row, "head": head } }),
                );
            }
            let mut out = String::new();
            for row in &rows {
                let time = Time::new(row.time_us).map_or_else(|| "at no time".to_owned(), print::second);
                let (author, command) = (print::line(&row.author, 40), print::line(&row.command, 60));
                out += &format!(
                    "{:>4}  {time}  {author}  {command} {}\n",
                    row.row,
                    print::line(&row.arguments.join(" "), 300)
                );
                for input in &row.inputs {
                    let digest = input.blake3.as_deref().unwrap_or("no digest: it could be read once only");
                    out +=
                        &format!("      {} {}  {digest}\n", print::line(&input.role, 20), print::line(&input.name, 80));
                }
                out += &format!("      result {}\n      head   {}\n", row.result, row.head);
            }
            print::out(if out.is_empty() { "no row yet\n" } else { &out })
        }
        CustodyCommand::Verify { store, against } => {
            let rows = custody::rows(&Store::open(store)?)?;
            let faults = custody::faults(&rows);
            faults.iter().for_each(|fault| print::say(&format!("error: {fault}")));
            let damaged = |message: String| {
                Error::new(ErrorKind::Store, message)
                    .hint("somebody changed the catalog behind the program's back; compare it with a backup")
            };
            if !faults.is_empty() {
                return Err(damaged(format!("expected an unbroken chain of custody, found {} faults", faults.len())));
            }
            for path in against {
                let (row, head) = evidence::custody_head(path)?;
                custody::goes_on_from(&rows, row, &head).map_err(|why| damaged(why).at(path.display()))?;
            }
            let (row, head) = custody::head(&rows);
            print::out(&format!("unbroken: {row} rows, head {head}\n"))
        }
    }
}
