//! What was measured, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

/// What is asked of IPv6, beside what IPv4 takes.
const MOST_BESIDE_V4: f64 = 1.3;
/// Bytes by which an IPv6 header is longer than an IPv4 one.
const V6_LONGER: usize = 20;

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// At most this many times its floor.
    Ratio(f64),
    /// At most this many nanoseconds.
    Nanoseconds(f64),
    /// At most this many nanoseconds more than the row that it is held against.
    More(f64),
}

/// One thing, measured a few times.
#[derive(Clone, Debug)]
pub struct Row {
    /// What; `docs/benchmarks.md` says what the words mean.
    pub name: &'static str,
    /// 4: IPv4; 6: IPv6.
    pub family: u8,
    /// Bytes of the frame, from the Ethernet header on.
    pub bytes: usize,
    /// Between how many flows the packets change.
    pub flows: u32,
    /// The row that it is held against: the one with this name, family and length, else the first with this name.
    pub ratio_to: Option<&'static str>,
    /// What is asked of it.
    pub asked: Option<Asked>,
    /// Nanoseconds for each packet, one number for each round.
    pub rounds: Vec<f64>,
}

/// The rows of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
}

impl Row {
    /// The best round: what the work costs when nothing else is done by the machine.
    fn min(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Report {
    /// Minimum to minimum, whatever the medians say.
    fn ratio(&self, row: &Row) -> Option<f64> {
        Some(row.min() / self.against(row)?.min())
    }

    /// The row that it is held against.
    fn against(&self, row: &Row) -> Option<&Row> {
        let name = row.ratio_to?;
        let floors = || self.rows.iter().filter(|floor| floor.name == name && floor.family == row.family);
        floors().find(|floor| floor.bytes == row.bytes).or_else(|| floors().next())
    }

    /// The same for a row of IPv6 and that of IPv4 which has its name, flows, and length, but for what IPv6's header is
    /// longer.
    fn beside_v4(&self, row: &Row) -> Option<f64> {
        let mut same = self.rows.iter().filter(|four| {
            (row.family, four.family) == (6, 4) && (four.name, four.flows) == (row.name, row.flows)
        });
        let four = same.find(|four| row.bytes == four.bytes || row.bytes == four.bytes + V6_LONGER)?;
        Some(row.min() / four.min())
    }

    /// Whether the row does what is asked of it.
    fn met(&self, row: &Row) -> Option<bool> {
        let asked = row.asked?;
        let itself = match asked {
            Asked::Ratio(most) => self.ratio(row).map(|ratio| ratio <= most),
            Asked::Nanoseconds(most) => Some(row.min() <= most),
            Asked::More(most) => self.against(row).map(|other| row.min() - other.min() <= most),
        };
        Some(itself? && self.beside_v4(row).is_none_or(|ratio| ratio <= MOST_BESIDE_V4))
    }

    /// `{"schema":1,"rows":[…]}`; what a row has not is `null`.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "name": row.name,
                "family": row.family,
                "bytes": row.bytes,
                "flows": row.flows,
                "ns_min": rounded(row.min(), 10.0),
                "ns_median": rounded(row.median(), 10.0),
                "ratio_to": row.ratio_to,
                "ratio": self.ratio(row).map(|ratio| rounded(ratio, 100.0)),
            })
        };
        json!({ "schema": 1, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }

    /// A line for each row.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "row",
            "IPv",
            "bytes",
            "flows",
            "ns min",
            "ns median",
            "kpps",
            "ratio",
            "to",
            "asked",
            "to IPv4",
            "",
        ]);
        for row in &self.rows {
            let or_none = |text: Option<String>| text.unwrap_or_default();
            table.add_row([
                row.name.to_owned(),
                row.family.to_string(),
                row.bytes.to_string(),
                row.flows.to_string(),
                format!("{:.1}", row.min()),
                format!("{:.1}", row.median()),
                format!("{:.0}", 1e6 / row.min()),
                or_none(self.ratio(row).map(|ratio| format!("{ratio:.2}"))),
                row.ratio_to.unwrap_or_default().to_owned(),
                or_none(row.asked.map(asked)),
                or_none(self.beside_v4(row).map(|ratio| format!("{ratio:.2}"))),
                or_none(self.met(row).map(|met| if met { "met" } else { "not met" }.to_owned())),
            ]);
        }
        for column in [1, 2, 3, 4, 5, 6, 7, 9, 10] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// How many rows do what is asked of them.
    pub fn verdict(&self) -> String {
        let met: Vec<bool> = self.rows.iter().filter_map(|row| self.met(row)).collect();
        if met.is_empty() {
            return "no row has a limit".to_owned();
        }
        let good = met.iter().filter(|met| **met).count();
        format!("{good} of the {} rows with a limit keep it", met.len())
    }
}

fn asked(asked: Asked) -> String {
    match asked {
        Asked::Ratio(most) => format!("≤ {most:.2}"),
        Asked::Nanoseconds(most) => format!("≤ {most:.0} ns"),
        Asked::More(most) => format!("≤ +{most:.0} ns"),
    }
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}
