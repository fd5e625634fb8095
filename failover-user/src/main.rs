//! The `failover` command: argument parsing and dispatch only.

/// Ten thousand probes a second are a hundred thousand small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    failover_user::cli::main()
}
