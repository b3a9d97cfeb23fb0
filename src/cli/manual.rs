//! Shell completions and manual pages, made of the same table of commands that is parsed.
//!
//! Weakness: what a value may be is completed only where it is one of some words, or a file. Guarantee: they name the commands and flags of
//! the program that made them.

use super::args::{Cli, Manual};
use super::print;
use crate::error::{Error, ErrorKind, Result};
use crate::store::files::{create_output, private_dir};
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell) -> Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stillhunt", &mut out);
    print::out(&String::from_utf8_lossy(&out))
}

/// Writes a manual page for every command into a directory.
pub(super) fn manual(args: &Manual) -> Result<()> {
    private_dir(&args.dir)?;
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![("stillhunt".to_owned(), command)];
    let mut n = 0;
    while let Some((name, command)) = pages.pop() {
        let path = args.dir.join(format!("{name}.1"));
        let failed =
            |cause: &std::io::Error| Error::new(ErrorKind::Io, format!("cannot write {}: {cause}", path.display()));
        let below: Vec<_> =
            command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()).cloned().collect();
        pages.extend(below.into_iter().map(|sub| (format!("{name}-{}", sub.get_name()), sub)));
        let mut page = Vec::new();
        clap_mangen::Man::new(command.display_name(name.clone()))
            .title(name)
            .render(&mut page)
            .map_err(|cause| failed(&cause))?;
        let mut out = create_output(&path)?;
        out.write_all(&page).and_then(|()| out.flush()).map_err(|cause| failed(&cause))?;
        n += 1;
    }
    print::out(&format!("{n} pages\n"))
}
