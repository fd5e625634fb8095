//! The checks, as data.

/// One cargo command.
pub struct Check {
    /// What it looks at.
    pub title: &'static str,
    /// An environment variable that it needs.
    pub variable: Option<(&'static str, &'static str)>,
    /// Arguments of `cargo`.
    pub arguments: Vec<String>,
}

impl Check {
    /// What to type to run it alone.
    pub fn line(&self) -> String {
        let variable = self.variable.map(|(name, value)| format!("{name}='{value}' ")).unwrap_or_default();
        format!("{variable}cargo {}", self.arguments.join(" "))
    }

    /// Whether it runs tests, whose results are added up.
    pub fn counts(&self) -> bool {
        self.arguments.first().is_some_and(|subcommand| subcommand == "test")
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variable = Some((name, value));
        self
    }
}

/// Everything, cheapest first; the last ones place real calls and take minutes.
pub fn everything() -> Vec<Check> {
    let ebpf = "clippy -p failover-ebpf --target bpfel-unknown-none -Z build-std=core -- -D warnings";
    let documentation = "doc --workspace --exclude failover-ebpf --no-deps";
    vec![
        check("format", "fmt --all --check"),
        check("lints", "clippy --workspace --exclude failover-ebpf --all-targets -- -D warnings"),
        // The eBPF target has no compiled `core`; a stable compiler builds one only when told so.
        check("lints of the eBPF programs", ebpf).with("RUSTC_BOOTSTRAP", "1"),
        check("documentation", documentation).with("RUSTDOCFLAGS", "-D warnings"),
        build(),
        check("unit and property tests", "test --workspace --exclude failover-ebpf --exclude failover-tests"),
        // What the tests under load measured is worth showing when they pass, too.
        check("tests in namespaces, with real peers", "test -p failover-tests -- --show-output"),
    ]
}

/// Only the tests whose name contains `filter`.
pub fn only(filter: &str) -> Vec<Check> {
    let mut tests = check("tests", "test --workspace --exclude failover-ebpf --");
    tests.arguments.push(filter.to_owned());
    vec![build(), tests]
}

/// The namespace tests run the built `failover`.
fn build() -> Check {
    check("build", "build --workspace --exclude failover-ebpf")
}

fn check(title: &'static str, arguments: &str) -> Check {
    Check { title, variable: None, arguments: arguments.split(' ').map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_can_be_typed() {
        let line = check("documentation", "doc --no-deps").with("RUSTDOCFLAGS", "-D warnings").line();
        assert_eq!(line, "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_filter_is_one_argument() {
        assert_eq!(only("two words")[1].arguments.last().map(String::as_str), Some("two words"));
    }
}
