//! x
fn a() {}
