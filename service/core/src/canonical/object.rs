//! Objects and arrays while they are written, and an object's members put into order at its end.

use std::borrow::Cow;

use serde::ser::{self, Error as _, Serialize};
use serde_json::Error;

use super::writer::{Member, Members, Writer, order};

/// An array that is open. One that is a variant's stands in an object with the variant's name.
pub(super) struct Sequence<'a> {
    writer: &'a mut Writer,
    start: usize,
    is_variant: bool,
}

impl<'a> Sequence<'a> {
    pub(super) fn open(writer: &'a mut Writer) -> Self {
        writer.out.push(b'[');
        Self { start: writer.out.len(), is_variant: false, writer }
    }

    pub(super) fn open_variant(writer: &'a mut Writer, name: &'static str) -> Self {
        begin_variant(writer, name);
        Self { is_variant: true, ..Self::open(writer) }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.writer.out.len() > self.start {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.out.extend_from_slice(if self.is_variant { b"]}" } else { b"]" });
    }
}

/// An object that is open.
pub(super) struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its text begins, behind the brace.
    start: usize,
    is_variant: bool,
    /// How many members of outer objects were noted.
    outer: usize,
    in_order: bool,
    /// The last name.
    last: Option<Cow<'static, str>>,
    /// The name that a map gave, until its value comes.
    next: Option<Cow<'static, str>>,
}

impl<'a> Object<'a> {
    pub(super) fn open(writer: &'a mut Writer) -> Self {
        writer.out.push(b'{');
        let outer = if let Members::Noted(members) = &writer.members { members.len() } else { 0 };
        let start = writer.out.len();
        Self { writer, start, is_variant: false, outer, in_order: true, last: None, next: None }
    }

    pub(super) fn open_variant(writer: &'a mut Writer, name: &'static str) -> Self {
        begin_variant(writer, name);
        Self { is_variant: true, ..Self::open(writer) }
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: Cow<'static, str>, value: &T) -> Result<(), Error> {
        let writer = &mut *self.writer;
        if let Some(last) = &self.last {
            writer.out.push(b',');
            self.in_order &= order(last, &name).is_lt();
        }
        if !self.in_order && !matches!(writer.members, Members::Noted(_)) {
            writer.members = Members::OutOfOrder;
            return Err(Error::custom("a member is out of order"));
        }
        let from = writer.out.len();
        match name {
            Cow::Borrowed(field) => writer.field(field),
            Cow::Owned(_) => writer.text(&name),
        }
        writer.out.push(b':');
        value.serialize(&mut *writer)?;
        if let Members::Noted(members) = &mut writer.members {
            members.push(Member { name: name.clone(), from, to: writer.out.len() });
        }
        self.last = Some(name);
        Ok(())
    }

    fn close(self) -> Result<(), Error> {
        let Writer { out, members } = &mut *self.writer;
        if let Members::Noted(members) = members {
            if !self.in_order {
                put_in_order(out, self.start, members.get_mut(self.outer..).unwrap_or_default())?;
            }
            members.truncate(self.outer);
        }
        self.writer.out.extend_from_slice(if self.is_variant { b"}}" } else { b"}" });
        Ok(())
    }
}

fn begin_variant(writer: &mut Writer, name: &'static str) {
    writer.out.push(b'{');
    writer.field(name);
    writer.out.push(b':');
}

/// Orders the members of an object, whose text begins at `start`.
fn put_in_order(out: &mut Vec<u8>, start: usize, members: &mut [Member]) -> Result<(), Error> {
    members.sort_unstable_by(|one, other| order(&one.name, &other.name));
    if let Some(twice) = members.iter().zip(members.iter().skip(1)).find(|(a, b)| a.name == b.name) {
        return Err(Error::custom(format!("an object has two members of the name {}", twice.0.name)));
    }
    let mut moved = Vec::with_capacity(out.len().saturating_sub(start));
    for member in members {
        if !moved.is_empty() {
            moved.push(b',');
        }
        moved.extend_from_slice(out.get(member.from..member.to).unwrap_or_default());
    }
    out.truncate(start);
    out.extend_from_slice(&moved);
    Ok(())
}

macro_rules! sequence {
    ($($of:ident $method:ident),*) => {
        $(impl ser::$of for Sequence<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.value(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}

sequence!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! object {
    ($($of:ident),*) => {
        $(impl ser::$of for Object<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.member(Cow::Borrowed(name), value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
    };
}

object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next = Some(Writer::name_of(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.next.take().ok_or_else(|| Error::custom("a value came without its name"))?;
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}
