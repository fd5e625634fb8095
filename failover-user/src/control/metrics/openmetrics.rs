//! A strict reader of OpenMetrics text (openmetrics.io, version 1.0): what it does not like, a scraper may not either.

use std::collections::{BTreeMap, BTreeSet};

/// Every sample, by its name and labels as they are written.
pub(super) type Samples = BTreeMap<String, f64>;

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    unit: String,
}

/// Reads a whole exposition.
pub(super) fn read(text: &str) -> Result<Samples, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF and a line feed")?;
    let (mut samples, mut families, mut family) = (Samples::new(), BTreeSet::new(), Family::default());
    for line in body.split_terminator('\n') {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').ok_or_else(|| wrong("a comment of one word"))?;
            let (name, value) = rest.split_once(' ').ok_or_else(|| wrong("metadata without a value"))?;
            if family.name != name {
                if !families.insert(name.to_owned()) {
                    return Err(wrong("a family that is in two places"));
                }
                family =
                    Family { name: plain(name).ok_or_else(|| wrong("a bad name"))?, ..Family::default() };
            }
            match word {
                "HELP" if family.kind.is_empty() && !value.contains('\\') => {}
                "TYPE" if ["gauge", "counter", "histogram"].contains(&value) => {
                    family.kind = value.to_owned();
                }
                "UNIT" if name.ends_with(&format!("_{value}")) => family.unit = value.to_owned(),
                _ => return Err(wrong("bad metadata")),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
        let value: f64 = value.parse().map_err(|_| wrong("a bad value"))?;
        let name = series.split('{').next().unwrap_or_default();
        let suffix =
            name.strip_prefix(&family.name).ok_or_else(|| wrong("a sample outside of its family"))?;
        let allowed: &[&str] = match family.kind.as_str() {
            "gauge" => &[""],
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => return Err(wrong("a sample before its TYPE")),
        };
        if !allowed.contains(&suffix) || !value.is_finite() || (family.kind != "gauge" && value < 0.0) {
            return Err(wrong("a sample that its type does not have"));
        }
        labels(&series[name.len()..]).ok_or_else(|| wrong("bad labels"))?;
        if samples.insert(series.to_owned(), value).is_some() {
            return Err(wrong("a series that is there twice"));
        }
    }
    histograms(&samples)?;
    Ok(samples)
}

fn plain(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(legal);
    (fits && !name.ends_with("_total")).then(|| name.to_owned())
}

/// `{a="b",c="d"}`, each name once; nothing but escapes that there are.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    if text.is_empty() {
        return Some(found);
    }
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    loop {
        let (name, value) = rest.split_once("=\"")?;
        let mut end = None;
        let mut escaped = false;
        for (at, char) in value.char_indices() {
            match (escaped, char) {
                (true, '\\' | '"' | 'n') => escaped = false,
                (true, _) => return None,
                (false, '\\') => escaped = true,
                (false, '"') => {
                    end = Some(at);
                    break;
                }
                (false, _) => {}
            }
        }
        let end = end?;
        plain(name)?;
        if found.insert(name.to_owned(), value[..end].to_owned()).is_some() {
            return None;
        }
        rest = &value[end + 1..];
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// Buckets grow, the last one is +Inf, and it is the count.
fn histograms(samples: &Samples) -> Result<(), String> {
    let mut all: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (series, value) in samples {
        let Some((name, rest)) = series.split_once("_bucket{") else { continue };
        let mut labels = labels(&format!("{{{rest}")).ok_or("labels")?;
        let bound = labels.remove("le").ok_or_else(|| format!("no le: {series}"))?;
        let bound =
            if bound == "+Inf" { f64::INFINITY } else { bound.parse().map_err(|_| series.clone())? };
        let others: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let others = if others.is_empty() { String::new() } else { format!("{{{}}}", others.join(",")) };
        all.entry(format!("{name}_count{others}")).or_default().push((bound, *value));
    }
    for (count, mut buckets) in all {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let grows = buckets.windows(2).all(|two| two[0].1 <= two[1].1);
        let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, value)| *value);
        if !grows || last.is_none() || samples.get(&count).copied() != last {
            return Err(format!("a histogram that does not add up: {count}"));
        }
    }
    Ok(())
}

#[test]
fn it_is_strict() {
    let right = "# HELP a_seconds It.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\na_seconds_sum{x=\"\\\"\"} 1.5\n\
                 a_seconds_count{x=\"\\\"\"} 2\na_seconds_bucket{x=\"\\\"\",le=\"1.0\"} 1\na_seconds_bucket{x=\"\\\"\",le=\"+Inf\"} 2\n# EOF\n";
    assert_eq!(read(right).map(|samples| samples.len()), Ok(4));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "\n# EOF\n"),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 3"),
        ("_count{x=\"\\\"\"} 2", "_count{x=\"\\\"\"} 3"),
        ("x=\"\\\"\"} 1.5", "x=\"\"\"} 1.5"),
        ("x=\"\\\"\"} 1.5", "x=\"\\t\"} 1.5"),
        ("_sum", "_total"),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("histogram", "counter"),
        ("} 1.5", "} NaN"),
        ("a_seconds_sum", "b_sum"),
        ("# EOF", "a_seconds_sum{x=\"\\\"\"} 1.5\n# EOF"),
    ] {
        assert!(right.contains(from), "{from}");
        assert!(read(&right.replacen(from, to, 1)).is_err(), "{from} → {to}");
    }
}
