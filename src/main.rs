//! The stillhunt program.

fn main() {}
