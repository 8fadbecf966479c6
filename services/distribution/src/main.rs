//! The distribution service as a process.

fn main() -> std::process::ExitCode {
    jiyao_serve::program::<jiyao_distribution::Distribution>()
}
