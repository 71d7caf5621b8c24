#!/usr/bin/env python3
"""Generates what follows from the API: messages, services and reasons. `--check` compares instead of writing.

Why a generator beside protoc's: it writes methods with keyword arguments, types and the API's own comments, once for
blocking code and once for asyncio, so that neither is written by hand. What is left out of the generated messages: the
rules of `buf.validate`. The hub holds them, and a package called `buf` of our own could clash with somebody else's.

Needs the packages of `requirements-dev.txt`.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
SOURCES = HERE / "src"
PACKAGE = "pointbridge/v1"
RULES = "buf/validate/validate.proto"

sys.path.insert(0, str(HERE / "codegen"))

import reasons
import services
from model import Api


def protoc(*arguments: str) -> None:
    """Runs the protoc that grpcio-tools brings; its own words say what is wrong."""
    # The plugin of mypy-protobuf lies beside this interpreter, which need not be in the PATH.
    plugin = Path(sys.executable).parent / "protoc-gen-mypy"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--plugin=protoc-gen-mypy={plugin}", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"protoc failed:\n{done.stderr}")


def described(scratch: Path) -> descriptor_pb2.FileDescriptorSet:
    """The API with its comments and its rules."""
    protoc(f"-I{PROTO}", f"--python_out={scratch}", RULES)
    sys.path.insert(0, str(scratch))
    # Registers the rules' extension, so that they are read with the options.
    importlib.import_module("buf.validate.validate_pb2")
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / PACKAGE).glob("*.proto"))
    described_set = scratch / "api.binpb"
    protoc(f"-I{PROTO}", f"--descriptor_set_out={described_set}", "--include_imports", "--include_source_info", *files)
    return descriptor_pb2.FileDescriptorSet.FromString(described_set.read_bytes())


def without_rules(api: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """The same API without the rules beside the fields and their import."""
    bare = descriptor_pb2.FileDescriptorSet()
    for file in api.file:
        if file.name.startswith("buf/"):
            continue
        kept = bare.file.add()
        kept.CopyFrom(file)
        others = [name for name in file.dependency if name != RULES]
        del kept.dependency[:]
        kept.dependency.extend(others)
        for message in kept.message_type:
            strip(message)
    return bare


def strip(message: descriptor_pb2.DescriptorProto) -> None:
    """Takes the rules off a message, its fields, its choices and what is nested in it."""
    if not message.options.map_entry:
        message.ClearField("options")
    for field in message.field:
        field.ClearField("options")
    for choice in message.oneof_decl:
        choice.ClearField("options")
    for nested in message.nested_type:
        strip(nested)


def generated() -> dict[str, str]:
    """Every generated file by its path under `src`."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        api = described(scratch)
        bare = scratch / "bare.binpb"
        bare.write_bytes(without_rules(api).SerializeToString(deterministic=True))
        out = scratch / "out"
        out.mkdir()
        names = [file.name for file in api.file if file.name.startswith(PACKAGE)]
        protoc(f"--descriptor_set_in={bare}", f"--python_out={out}", f"--mypy_out={out}", *names)
        files = {str(path.relative_to(out)): path.read_text("utf-8") for path in sorted(out.rglob("*.py*"))}
    model = Api.of(api, PACKAGE)
    files[f"{PACKAGE}/__init__.py"] = services.package(model)
    files["pointbridge/_services.py"] = services.module(model, services.BLOCKING)
    files["pointbridge/_aio_services.py"] = services.module(model, services.ASYNCIO)
    files["pointbridge/reasons.py"] = reasons.module(model)
    # What each client reads of the shared retry policy lies in its package.
    files["pointbridge/retry.json"] = (HERE.parent / "retry.json").read_text("utf-8")
    return files


def stale(files: dict[str, str]) -> list[str]:
    """The files that differ from what is committed, and those that nothing generates."""
    wrong = [name for name, text in files.items() if not holds(SOURCES / name, text)]
    present = {str(path.relative_to(SOURCES)) for path in (SOURCES / PACKAGE).glob("*.py*")}
    return sorted(wrong + list(present - files.keys()))


def holds(path: Path, text: str) -> bool:
    """Whether a file has exactly this text."""
    return path.is_file() and path.read_text("utf-8") == text


def main() -> int:
    """Writes the files, or says which are stale."""
    parser = argparse.ArgumentParser(description="Generates the client's code from the API.")
    parser.add_argument("--check", action="store_true", help="compare with what is committed, and write nothing")
    check = parser.parse_args().check
    files = generated()
    wrong = stale(files)
    if check:
        for name in wrong:
            print(f"clients/python/src/{name} is stale: run clients/python/generate.py")
        return 1 if wrong else 0
    for name in set(wrong) - files.keys():
        (SOURCES / name).unlink()
    for name, text in files.items():
        (SOURCES / name).parent.mkdir(parents=True, exist_ok=True)
        (SOURCES / name).write_text(text, "utf-8")
    print(len(files), "files,", len(wrong), "changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
