//! The binary: only calls `app`.

fn main() -> std::process::ExitCode {
    onefold::app::main()
}
