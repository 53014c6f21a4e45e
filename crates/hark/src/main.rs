//! The binary. The only crate with a command line, a clock, an environment and servers.

fn main() {}
