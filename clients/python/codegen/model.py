"""The API as the generator sees it: services, methods, fields and reasons, each with its comment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

SCALARS = {
    Field.TYPE_STRING: "str",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_BYTES: "bytes",
    **dict.fromkeys((Field.TYPE_UINT32, Field.TYPE_UINT64, Field.TYPE_INT32, Field.TYPE_INT64), "int"),
}
DEFAULTS = {"str": '""', "bool": "False", "bytes": 'b""', "int": "0"}


@dataclass(frozen=True)
class Argument:
    """A field of a request as a keyword argument."""

    name: str
    type: str
    """The annotation."""
    default: str | None
    """What it is when left out; `None` where it must be given."""
    comment: str
    is_set_apart: bool
    """Whether it goes into the message only where it is given: a plain value that is one of several to choose from."""


@dataclass(frozen=True)
class Method:
    """One RPC."""

    name: str
    comment: str
    request: str
    response: str
    arguments: list[Argument]
    item: tuple[str, str] | None
    """The field and the type of what a list answers in pages; `None` for what is no list."""


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    comment: str
    methods: list[Method]


@dataclass(frozen=True)
class Reason:
    """One reason of refusals: its name without the prefix, and what it means."""

    name: str
    comment: str


@dataclass(frozen=True)
class Api:
    """All of it."""

    services: list[Service]
    reasons: list[Reason]
    exports: dict[str, list[str]]
    """The names of messages and enums by the file that declares them."""

    @classmethod
    def of(cls, described: FileDescriptorSet, package: str) -> Api:
        """Reads the files of one package."""
        files = [file for file in described.file if file.name.startswith(package)]
        messages = {
            f".{file.package}.{message.name}": (file, message) for file in files for message in file.message_type
        }
        reader = Reader(messages)
        services = [service for file in files for service in reader.services(file)]
        errors = next(file for file in files if file.name.endswith("/error.proto"))
        exports = {
            file.name: sorted([one.name for one in file.message_type] + [one.name for one in file.enum_type])
            for file in files
        }
        return cls(services, list(reasons_of(errors)), exports)


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """The comment of each place of a file, by its path."""
    found = {}
    for location in file.source_code_info.location:
        if location.leading_comments:
            lines = [line.removeprefix(" ") for line in location.leading_comments.splitlines()]
            found[tuple(location.path)] = "\n".join(lines).strip()
    return found


def reasons_of(file: FileDescriptorProto) -> Iterator[Reason]:
    """The values of the first enum of a file, but for the one that says nothing."""
    said = comments(file)
    for index, value in enumerate(file.enum_type[0].value):
        if value.number != 0:
            yield Reason(value.name.removeprefix("ERROR_REASON_"), said[5, 0, 2, index])


@dataclass(frozen=True)
class Reader:
    """Reads services, with the messages of the package at hand."""

    messages: dict[str, tuple[FileDescriptorProto, DescriptorProto]]

    def services(self, file: FileDescriptorProto) -> Iterator[Service]:
        """The services of a file."""
        said = comments(file)
        for index, service in enumerate(file.service):
            methods = []
            for number, rpc in enumerate(service.method):
                if rpc.client_streaming or rpc.server_streaming:
                    raise SystemExit(f"{service.name}.{rpc.name} is a stream, which this generator cannot do yet")
                methods.append(
                    Method(
                        rpc.name,
                        said[6, index, 2, number],
                        rpc.input_type.rsplit(".", 1)[1],
                        rpc.output_type.rsplit(".", 1)[1],
                        list(self.arguments(rpc.input_type)),
                        self.item(rpc.output_type),
                    )
                )
            yield Service(service.name, said[6, index], methods)

    def arguments(self, message: str) -> Iterator[Argument]:
        """The fields of a request, those that must be given first."""
        file, described = self.messages[message]
        said = comments(file)
        place = next(index for index, one in enumerate(file.message_type) if one is described)
        found = []
        for number, field in enumerate(described.field):
            type_, default = self.shape(described, field)
            apart = default == "None" and field.type != Field.TYPE_MESSAGE and not field.proto3_optional
            found.append(Argument(field.name, type_, default, said[4, place, 2, number], apart))
        yield from sorted(found, key=lambda argument: argument.default is not None)

    def shape(self, message: DescriptorProto, field: Field) -> tuple[str, str | None]:
        """The annotation of a field and its default."""
        type_ = self.type_of(field)
        if field.label == Field.LABEL_REPEATED:
            return f"Iterable[{type_}]", None if is_required(field.options) else "()"
        if field.name == "request_id":
            # Empty is left out, and the client makes one.
            return "str", '""'
        if is_required(field.options) or is_only_choice(message, field):
            return type_, None
        if field.HasField("oneof_index") or field.type == Field.TYPE_MESSAGE:
            return f"{type_} | None", "None"
        return type_, DEFAULTS.get(type_, "0")

    def type_of(self, field: Field) -> str:
        """What one value of a field is in Python."""
        if field.type in SCALARS:
            return SCALARS[field.type]
        name = field.type_name.rsplit(".", 1)[1]
        if field.type == Field.TYPE_ENUM:
            return f"v1.{name}.ValueType"
        if field.type_name == ".google.protobuf.Timestamp":
            return "Timestamp"
        if field.type_name not in self.messages:
            raise SystemExit(f"{field.name}: {field.type_name} is a type that this generator does not know")
        return f"v1.{name}"

    def item(self, message: str) -> tuple[str, str] | None:
        """What a list answers in pages."""
        _, described = self.messages[message]
        if not any(field.name == "next_page_token" for field in described.field):
            return None
        (items,) = [field for field in described.field if field.label == Field.LABEL_REPEATED]
        return items.name, self.type_of(items)


def rules_of(options: Any, extension: str) -> Any:
    """The rules beside a field or a choice."""
    # The caller generated this module and imported it.
    return options.Extensions[getattr(sys.modules["buf.validate.validate_pb2"], extension)]


def is_required(options: Any) -> bool:
    """Whether a field must be set."""
    return bool(rules_of(options, "field").required)


def is_only_choice(message: DescriptorProto, field: Field) -> bool:
    """Whether a field is the only one of a choice that must be made."""
    if not field.HasField("oneof_index") or field.proto3_optional:
        return False
    choices = [one for one in message.field if one.HasField("oneof_index") and one.oneof_index == field.oneof_index]
    return len(choices) == 1 and bool(rules_of(message.oneof_decl[field.oneof_index].options, "oneof").required)
