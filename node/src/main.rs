//! The binary `node`. Everything is in the library beside it.

fn main() -> std::process::ExitCode {
    firelink_node::main()
}
