//! The records service as a process.

fn main() -> std::process::ExitCode {
    if jiyao_extract::is_child() {
        return jiyao_extract::child();
    }
    jiyao_serve::program::<jiyao_records::Records>()
}
