//! Objects and arrays while they are written, and an object's members put into order at its end.

use std::borrow::Cow;

use serde::ser::{self, Error as _, Serialize};
use serde_json::Error;

use super::writer::{Member, Writer};

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
    /// How many members of outer objects there are.
    outer: usize,
    in_order: bool,
    is_variant: bool,
    /// The name that a map gave, until its value comes.
    name: Option<Cow<'static, str>>,
}

impl<'a> Object<'a> {
    pub(super) fn open(writer: &'a mut Writer) -> Self {
        writer.out.push(b'{');
        let (start, outer) = (writer.out.len(), writer.members.len());
        Self { writer, start, outer, in_order: true, is_variant: false, name: None }
    }

    pub(super) fn open_variant(writer: &'a mut Writer, name: &'static str) -> Self {
        begin_variant(writer, name);
        Self { is_variant: true, ..Self::open(writer) }
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: Cow<'static, str>, value: &T) -> Result<(), Error> {
        let writer = &mut *self.writer;
        if writer.out.len() > self.start {
            writer.out.push(b',');
        }
        let from = writer.out.len();
        writer.text(&name);
        writer.out.push(b':');
        value.serialize(&mut *writer)?;
        let member = Member { name, from, to: writer.out.len() };
        let last = writer.members.get(self.outer..).and_then(<[_]>::last);
        self.in_order &= last.is_none_or(|last| last.order(&member).is_lt());
        writer.members.push(member);
        Ok(())
    }

    fn close(self) -> Result<(), Error> {
        if !self.in_order {
            put_in_order(self.writer, self.start, self.outer)?;
        }
        self.writer.members.truncate(self.outer);
        self.writer.out.extend_from_slice(if self.is_variant { b"}}" } else { b"}" });
        Ok(())
    }
}

fn begin_variant(writer: &mut Writer, name: &'static str) {
    writer.out.push(b'{');
    writer.text(name);
    writer.out.push(b':');
}

/// Orders the members from `outer` on, whose text begins at `start`.
fn put_in_order(writer: &mut Writer, start: usize, outer: usize) -> Result<(), Error> {
    let Writer { out, members } = writer;
    let members = members.get_mut(outer..).unwrap_or_default();
    members.sort_unstable_by(Member::order);
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
        self.name = Some(Writer::name_of(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.name.take().ok_or_else(|| Error::custom("a value came without its name"))?;
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}
