//! What a hub exports and what its page says of that, in one form: names, kinds, labels and values of labels.
//!
//! Absent: the numbers themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use regex::Regex;

use super::files::deployed;
use crate::signals::http::get;

/// Values of labels by the labels' names.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A metric, by its name without what a histogram's rows end in.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    /// Names of rows: the same, or those of a histogram.
    pub(crate) rows: BTreeSet<String>,
    pub(crate) labels: Labels,
}

/// What was scraped.
#[derive(Debug, Default)]
pub(crate) struct Exported(pub(crate) BTreeMap<String, Family>);

impl Exported {
    /// Scrapes a hub.
    pub(crate) async fn scrape(address: SocketAddr) -> Self {
        let (status, body) = get(address, "/metrics").await;
        assert_eq!(status, 200, "{body}");
        Self::read(&body)
    }

    fn read(text: &str) -> Self {
        let sample = Regex::new(r"^(\w+)(?:\{(.*)\})? \S+$").unwrap();
        let label = Regex::new(r#"(\w+)="((?:[^"\\]|\\.)*)""#).unwrap();
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                name.clone_into(&mut current);
                families.entry(current.clone()).or_default().kind = kind.to_owned();
            } else if !line.starts_with('#') {
                let found = sample.captures(line).unwrap_or_else(|| panic!("not a sample: {line}"));
                assert!(found[1].starts_with(&current), "{line}: its kind was not declared");
                let family = families.get_mut(&current).unwrap();
                family.rows.insert(found[1].to_owned());
                for one in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
                    family.labels.entry(one[1].to_owned()).or_default().insert(one[2].to_owned());
                }
            }
        }
        Self(families)
    }

    /// The family that a row belongs to.
    pub(crate) fn of_row(&self, row: &str) -> Option<&Family> {
        self.0.values().find(|family| family.rows.contains(row))
    }
}

/// A row of the page's table.
#[derive(Debug)]
pub(crate) struct Documented {
    pub(crate) kind: String,
    /// As Prometheus spells them.
    pub(crate) labels: BTreeSet<String>,
    pub(crate) meaning: String,
}

/// The page's table, by Prometheus' names.
pub(crate) fn documented() -> BTreeMap<String, Documented> {
    let page = deployed("TELEMETRY.md");
    let ticked = Regex::new("`([^`]+)`").unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, name, kind, _, attributes, meaning] = cells.as_slice() else { continue };
        let labels = ticked.captures_iter(attributes).map(|found| found[1].replace('.', "_")).collect();
        let row = Documented { kind: (*kind).to_owned(), labels, meaning: (*meaning).to_owned() };
        rows.insert(name.trim_matches('`').to_owned(), row);
    }
    assert!(rows.len() > 15, "TELEMETRY.md has hardly a table of metrics: {:?}", rows.keys());
    rows
}

#[test]
fn a_scrape_is_read_with_rows_labels_and_values() {
    let text = "# HELP a A.\n# TYPE a histogram\na_bucket{m=\"x\",le=\"+Inf\"} 1\na_sum{m=\"x\"} 2\na_count{m=\"y\"} 1\n# TYPE b gauge\nb 5\n";
    let read = Exported::read(text);
    let a = read.of_row("a_bucket").unwrap();
    assert_eq!((a.kind.as_str(), a.rows.len()), ("histogram", 3));
    assert_eq!(a.labels["m"].iter().collect::<Vec<_>>(), ["x", "y"]);
    assert!(read.of_row("b").is_some_and(|b| b.labels.is_empty()) && read.of_row("a").is_none());
}
