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
        let words: Vec<String> = self.arguments.iter().map(|word| quoted(word)).collect();
        format!("{variable}cargo {}", words.join(" "))
    }

    /// Whether it runs tests, whose results are added up.
    pub fn counts(&self) -> bool {
        self.arguments.first().is_some_and(|subcommand| subcommand == "test")
            && !self.arguments.iter().any(|option| option == "--no-run")
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
        tests("unit and property tests", &["--lib", "--bins"]),
        tests("tests of the documentation", &["--doc"]),
        // What the tests under load measured is worth showing when they pass, too.
        tests("tests in namespaces, with real peers", &["--test", "*", "--", "--show-output"]),
    ]
}

/// Only the tests whose name contains `filter`.
pub fn only(filter: &str) -> Vec<Check> {
    vec![build(), tests("tests", &["--", filter])]
}

/// Everything, once: the steps that follow name the same packages, so that nothing is compiled with other features
/// again. It makes the `failover` that the namespace tests run, too.
fn build() -> Check {
    check("build", "test --no-run --workspace --exclude failover-ebpf")
}

fn tests(title: &'static str, which: &[&str]) -> Check {
    let mut tests = check(title, "test --workspace --exclude failover-ebpf");
    tests.arguments.extend(which.iter().map(ToString::to_string));
    tests
}

/// A word as a shell takes it unchanged.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
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
        assert_eq!(tests("all", &["--test", "*"]).line().rsplit(' ').next(), Some("'*'"));
        assert_eq!(
            tests("all", &["--test", "*"]).line(),
            "cargo test --workspace --exclude failover-ebpf --test '*'"
        );
    }

    #[test]
    fn a_filter_is_one_argument() {
        assert_eq!(only("two words")[1].arguments.last().map(String::as_str), Some("two words"));
    }
}
