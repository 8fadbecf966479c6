//! The attendance service as a process.

fn main() -> std::process::ExitCode {
    jiyao_serve::program::<jiyao_attendance::Attendance>()
}
