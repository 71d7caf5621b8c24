//! The dashboard, the alert rules and their tests, as far as people and other tests rely on what they say.
//!
//! Absent: whether rules fire when they should (Prometheus' own tool tells, in `tests/run`) and how a panel looks.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::promql::{self, Reading};

/// A file of deploy/.
pub(crate) fn deployed(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A query with the place that it stands at, and the labels that what is shown of it names.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) at: String,
    pub(crate) text: String,
    pub(crate) shown: Vec<String>,
}

impl Query {
    /// What it asks for.
    pub(crate) fn reading(&self) -> Reading {
        promql::read(&self.text)
    }
}

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&deployed("grafana/pointbridge.json")).unwrap()
}

/// Its panels without the headings of rows.
pub(crate) fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap();
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of the dashboard.
pub(crate) fn queries_shown(dashboard: &Value) -> Vec<Query> {
    let braces = Regex::new(r"\{\{(\w+)\}\}").unwrap();
    let mut queries = Vec::new();
    for panel in panels(dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            let legend = target["legendFormat"].as_str().unwrap();
            queries.push(Query {
                at: format!("panel {}", panel["title"]),
                text: target["expr"].as_str().unwrap().to_owned(),
                shown: braces.captures_iter(legend).map(|found| found[1].to_owned()).collect(),
            });
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(text) = annotation["expr"].as_str() {
            queries.push(Query {
                at: format!("annotation {}", annotation["name"]),
                text: text.to_owned(),
                shown: vec![],
            });
        }
    }
    queries
}

#[derive(Debug, Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// An alert rule.
#[derive(Debug, Deserialize)]
pub(crate) struct Alert {
    pub(crate) alert: String,
    expr: String,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
struct Labels {
    severity: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: String,
    runbook: String,
}

/// Every alert rule.
pub(crate) fn alerts() -> Vec<Alert> {
    let read: Groups = serde_saphyr::from_str(&deployed("prometheus/alerts.yml")).unwrap();
    read.groups.into_iter().flat_map(|group| group.rules).collect()
}

impl Alert {
    /// What it asks, and what its texts show.
    pub(crate) fn query(&self) -> Query {
        let label = Regex::new(r"\$labels\.(\w+)").unwrap();
        let texts = format!("{} {}", self.annotations.summary, self.annotations.description);
        Query {
            at: format!("alert {} ({})", self.alert, self.labels.severity),
            text: self.expr.clone(),
            shown: label.captures_iter(&texts).map(|found| found[1].to_owned()).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct AlertTests {
    tests: Vec<AlertTest>,
}

#[derive(Debug, Deserialize)]
struct AlertTest {
    name: String,
    input_series: Vec<Series>,
    promql_expr_test: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
struct Series {
    series: String,
}

#[derive(Debug, Deserialize)]
struct Expected {
    expr: String,
    exp_samples: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    labels: String,
}

/// The instances that texts in PromQL's form speak of.
fn instances<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let instance = Regex::new(r#"instance="(\w+)""#).unwrap();
    texts.flat_map(|text| instance.captures_iter(text).map(|found| found[1].to_owned())).collect()
}

#[test]
fn every_panel_says_what_it_means_in_which_unit_and_has_a_place_of_its_own() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: two panels with this id");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}: reaches beyond the grid");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title}: lies on another panel");
            }
        }
    }
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(panel["description"].as_str().unwrap().len() > 40, "{title}: says too little");
        assert!(
            !panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty(),
            "{title}: has no unit"
        );
        assert_eq!(
            panel["datasource"]["uid"], "${datasource}",
            "{title}: is bound to one installation's data source"
        );
    }
    for query in queries_shown(&dashboard) {
        for one in query.reading().uses {
            assert!(
                one.matched.contains_key("instance"),
                "{}: {} ignores the chosen instances",
                query.at,
                one.metric
            );
        }
    }
    let variables: Vec<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(variables, ["datasource", "instance"]);
}

#[test]
fn what_texts_show_is_what_their_queries_keep() {
    let dashboard = dashboard();
    for query in queries_shown(&dashboard).into_iter().chain(alerts().iter().map(Alert::query)) {
        let reading = query.reading();
        for label in &query.shown {
            assert!(reading.may_show(label), "{}: {label} is summed away: {}", query.at, query.text);
        }
    }
}

#[test]
fn every_alert_says_what_to_do_and_the_runbook_says_more() {
    let runbook = deployed("RUNBOOK.md");
    let sections: Vec<&str> =
        runbook.lines().filter_map(|line| line.strip_prefix("## Pointbridge")).collect();
    let alerts = alerts();
    for alert in &alerts {
        let name = &alert.alert;
        assert!(
            ["critical", "warning"].contains(&alert.labels.severity.as_str()),
            "{name}: {}",
            alert.labels.severity
        );
        assert!(
            alert.annotations.summary.len() > 15 && alert.annotations.description.len() > 60,
            "{name}: says too little"
        );
        let anchor = format!("deploy/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(alert.annotations.runbook, anchor, "{name}");
        let section = name.strip_prefix("Pointbridge").expect("alerts begin with the product's name");
        assert!(sections.contains(&section), "{name}: RUNBOOK.md has no section of this name");
    }
    let names: BTreeSet<&str> = alerts.iter().map(|alert| &alert.alert["Pointbridge".len()..]).collect();
    let orphans: Vec<&&str> = sections.iter().filter(|section| !names.contains(**section)).collect();
    assert!(orphans.is_empty(), "RUNBOOK.md: no alert leads to {orphans:?}");
}

#[test]
fn every_alert_is_tested_to_fire_and_to_stay_silent() {
    let read: AlertTests = serde_saphyr::from_str(&deployed("prometheus/alerts_test.yml")).unwrap();
    let (mut fire, mut silent) = (BTreeSet::new(), BTreeSet::new());
    let alert = Regex::new(r#"^ALERTS\{alertname="(\w+)", alertstate="firing"\}$"#).unwrap();
    let severity = Regex::new(r#"severity="(\w+)""#).unwrap();
    for test in &read.tests {
        for expected in &test.promql_expr_test {
            let name = alert
                .captures(&expected.expr)
                .unwrap_or_else(|| panic!("{}: asks for no alert", test.name))[1]
                .to_owned();
            for sample in &expected.exp_samples {
                fire.insert((
                    name.clone(),
                    severity.captures(&sample.labels).expect("alerts have a severity")[1].to_owned(),
                ));
            }
            let given = instances(test.input_series.iter().map(|one| one.series.as_str()));
            let told = instances(expected.exp_samples.iter().map(|one| one.labels.as_str()));
            if given.difference(&told).next().is_some() {
                silent.insert(name);
            }
        }
    }
    for alert in alerts() {
        let (name, severity) = (alert.alert, alert.labels.severity);
        assert!(
            fire.contains(&(name.clone(), severity.clone())),
            "{name}: no test makes it fire as {severity}"
        );
        assert!(silent.contains(&name), "{name}: no test has a hub for which it stays silent");
    }
}
