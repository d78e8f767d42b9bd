//! Parses arguments, runs one command, prints the error chain, sets the exit code.
fn main() {}
