//! What the table of rights states, held against what the walk found.

use pointbridge::authz::{Effect, Reach, WhenSuspended};
use pointbridge::peer::Role;

use super::cells::{Cell, Whose};
use super::row;

/// Holds every statement of the table.
pub(crate) fn hold(cells: &[Cell]) {
    for cell in cells {
        assert_role(cell);
        assert_reach(cell, cells);
        assert_suspension(cell, cells);
    }
}

fn is_refused_its_role(cell: &Cell) -> bool {
    cell.outcome == "PermissionDenied ROLE_NOT_ALLOWED"
}

fn assert_role(cell: &Cell) {
    let Some(role) = cell.kind.role() else { return };
    if !row(&cell.method).roles.contains(&role) {
        assert!(is_refused_its_role(cell), "{} for {}: {}", cell.method, cell.kind.name, cell.outcome);
    }
}

fn find<'a>(cells: &'a [Cell], like: &Cell, kind: &str, whose: Whose) -> &'a Cell {
    let same = |cell: &&Cell| {
        (&cell.method, cell.by, cell.kind.name, cell.whose) == (&like.method, like.by, kind, whose)
    };
    cells.iter().find(same).expect("the walk asks everybody everything")
}

/// What a method does not reach, it must refuse, or leave out, exactly as what does not exist.
fn assert_reach(cell: &Cell, cells: &[Cell]) {
    let is_strangers = match (cell.kind.partner(), cell.whose) {
        (Some("market" | "airline"), Whose::Bakerys) | (Some("bakery" | "pirate"), Whose::Markets) => true,
        (Some("airline"), Whose::Markets) => row(&cell.method).reach == Reach::Own && !names_own(cell),
        _ => false,
    };
    let reach = row(&cell.method).reach;
    assert_ne!(reach, Reach::Unstated, "{}: say whose objects it reaches", cell.method);
    if !is_strangers || reach == Reach::Anybodys {
        return;
    }
    let missing = find(cells, cell, cell.kind.name, Whose::Missing);
    if cell.answer.is_success() && row(&cell.method).effect == Effect::Write {
        // What would be written has a time and ids of its own.
        assert_eq!(cell.outcome, missing.outcome, "{} {} for {}", cell.method, cell.by, cell.kind.name);
        return;
    }
    let (named, none) = cell.named.as_ref().expect("somebody's objects have names");
    assert_eq!(
        cell.answer.clone().renamed(named, none),
        missing.answer,
        "{} {} for {}: another's is not answered as what does not exist",
        cell.method,
        cell.by,
        cell.kind.name
    );
}

/// A quote's destination may be the other party's, where it is the same member.
fn names_own(cell: &Cell) -> bool {
    cell.by == "by destination"
}

/// Whoever is suspended is told so, where it asks for its own and would be served otherwise; or is served as ever.
fn assert_suspension(cell: &Cell, cells: &[Cell]) {
    let Some(active) = cell.kind.name.strip_prefix("suspended ") else { return };
    let own = matches!(cell.whose, Whose::Markets | Whose::Nobodys);
    let before = find(cells, cell, active, cell.whose);
    if !own || is_refused_its_role(before) {
        return;
    }
    let what = format!("{} {}: {} after {}", cell.method, cell.by, cell.outcome, before.outcome);
    assert!(matches!(cell.kind.role(), Some(Role::Partner | Role::Finance)), "{what}");
    match row(&cell.method).when_suspended {
        WhenSuspended::Served => assert_eq!(cell.outcome, before.outcome, "{what}"),
        WhenSuspended::Refused => {
            assert_eq!(cell.outcome, "PermissionDenied PARTNER_SUSPENDED", "{what}");
        }
    }
}
