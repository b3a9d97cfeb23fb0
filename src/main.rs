//! The stillhunt program: parse, call, exit code.

fn main() -> std::process::ExitCode {
    stillhunt::cli::main()
}
