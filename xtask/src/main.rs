//! Everything that is done to this workspace.
fn main() {}
