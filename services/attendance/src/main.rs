//! The attendance service as a process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    jiyao_serve::program::<jiyao_attendance::Attendance>()
}
