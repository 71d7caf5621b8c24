//! What a query asks for: metrics, and the labels that it needs of each, by PromQL's own grammar.
//!
//! Absent: evaluation; a real Prometheus does that for the alert rules, in `tests/run`.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::METRIC_NAME;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

/// What Grafana puts into a query before it sends it, and something of the same kind.
const PLACEHOLDERS: [(&str, &str); 3] = [("$__rate_interval", "5m"), ("$__range", "1h"), ("$instance", ".*")];

/// A metric that a query reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) metric: String,
    /// Labels that it must have for the query to mean what it says.
    pub(crate) labels: BTreeSet<String>,
    /// Labels that are compared, with the texts they are compared with: of a pattern, each alternative.
    pub(crate) matched: BTreeMap<String, Vec<String>>,
}

/// A query that was read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) uses: Vec<Use>,
    /// Labels that the query makes itself.
    made: BTreeSet<String>,
    /// Labels by which it groups.
    grouped: BTreeSet<String>,
    aggregates: bool,
}

impl Reading {
    /// Whether what comes out may have this label: it was grouped by or made, or nothing was taken away.
    pub(crate) fn may_show(&self, label: &str) -> bool {
        !self.aggregates || self.grouped.contains(label) || self.made.contains(label)
    }

    fn need(&mut self, labels: &[String]) {
        for one in &mut self.uses {
            one.labels.extend(labels.iter().filter(|label| !self.made.contains(*label)).cloned());
        }
    }

    fn join(&mut self, other: Self) {
        self.uses.extend(other.uses);
        self.made.extend(other.made);
        self.grouped.extend(other.grouped);
        self.aggregates |= other.aggregates;
    }
}

/// Reads a query.
pub(crate) fn read(query: &str) -> Reading {
    let filled = PLACEHOLDERS.iter().fold(query.to_owned(), |text, (name, value)| text.replace(name, value));
    let tree = parser::parse(&filled).unwrap_or_else(|error| panic!("{query}: {error}"));
    reading(&tree)
}

fn reading(tree: &Expr) -> Reading {
    match tree {
        Expr::VectorSelector(selector) => selected(selector),
        Expr::MatrixSelector(matrix) => selected(&matrix.vs),
        Expr::Aggregate(aggregate) => {
            let mut inner = reading(&aggregate.expr);
            inner.aggregates = true;
            if let Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) = &aggregate.modifier
            {
                inner.need(&labels.labels);
                inner.grouped.extend(labels.labels.iter().cloned());
            }
            inner
        }
        Expr::Binary(binary) => {
            let mut both = reading(&binary.lhs);
            both.join(reading(&binary.rhs));
            if let Some(LabelModifier::Include(labels)) =
                binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref())
            {
                both.need(&labels.labels);
            }
            both
        }
        Expr::Call(call) => {
            let mut all = Reading::default();
            let mut texts = Vec::new();
            for argument in &call.args.args {
                match argument.as_ref() {
                    Expr::StringLiteral(text) => texts.push(text.val.clone()),
                    other => all.join(reading(other)),
                }
            }
            // label_replace(vector, what it makes, how, what it reads, pattern)
            if let (true, [made, _, read, _]) = (call.func.name == "label_replace", texts.as_slice()) {
                all.need(std::slice::from_ref(read));
                all.made.insert(made.clone());
            }
            all
        }
        Expr::Unary(unary) => reading(&unary.expr),
        Expr::Paren(paren) => reading(&paren.expr),
        Expr::Subquery(subquery) => reading(&subquery.expr),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Reading::default(),
    }
}

fn selected(selector: &VectorSelector) -> Reading {
    let metric = selector.name.clone().expect("a query names its metric in front of the braces");
    let matchers = &selector.matchers.matchers;
    let alternatives = |value: &str| value.split('|').map(str::to_owned).collect();
    let matched: BTreeMap<String, Vec<String>> = matchers
        .iter()
        .filter(|one| one.name != METRIC_NAME)
        .map(|one| (one.name.clone(), alternatives(&one.value)))
        .collect();
    let labels = matched.keys().cloned().collect();
    Reading { uses: vec![Use { metric, labels, matched }], ..Reading::default() }
}

#[test]
fn a_query_is_read_with_all_that_it_needs() {
    let query = r#"sum by (le, method) (label_replace(rate(a_bucket{x=~"1|2"}[$__rate_interval]), "method", "$1", "rpc_method", ".*"))
        / on (instance) group_left () b or vector(0)"#;
    let reading = read(query);
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<_>>();
    let [a, b] = reading.uses.as_slice() else { panic!("{reading:?}") };
    assert_eq!((a.metric.as_str(), b.metric.as_str()), ("a_bucket", "b"));
    assert_eq!(a.labels, labels(&["x", "le", "rpc_method", "instance"]));
    assert_eq!((&a.matched["x"], &b.labels), (&vec!["1".to_owned(), "2".to_owned()], &labels(&["instance"])));
    assert!(reading.may_show("method") && !reading.may_show("rpc_method") && read("b").may_show("anything"));
}
