//! The binary: nothing but `app`.

fn main() -> std::process::ExitCode {
    onefold::app::main()
}
