//! The `failover` command: argument parsing and dispatch only.

fn main() -> std::process::ExitCode {
    failover_user::cli::main()
}
