//! Dashboard, alerts and the page of metrics, compared with what a running hub exports.

mod files;
mod promql;
