//! The records service as a process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    if jiyao_extract::is_child() {
        return jiyao_extract::child();
    }
    jiyao_serve::program::<jiyao_records::Records>()
}
