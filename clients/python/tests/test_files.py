"""The PEM files: each bad one is named, and a renewal counts once it can be used."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from pointbridge import Client, ConfigurationError
from pointbridge._files import Pem, Watch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pem(tmp_path: Path) -> Pem:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    write(authority, tmp_path)
    (tmp_path / "empty.pem").touch()
    return Pem(tmp_path / "ca.pem", tmp_path / "own.pem", tmp_path / "own.key")


def write(authority: trustme.CA, folder: Path) -> None:
    leaf = authority.issue_cert("till@alliance.example")
    leaf.private_key_pem.write_to_path(folder / "own.key")
    leaf.cert_chain_pems[0].write_to_path(folder / "own.pem")


@pytest.mark.parametrize(
    ("which", "name", "said"),
    [
        ("ca", "gone.pem", "cannot read .*gone.pem: No such file"),
        ("certificate", "gone.pem", "cannot read .*gone.pem"),
        ("key", "gone.pem", "cannot read .*gone.pem"),
        ("ca", "empty.pem", "empty.pem holds no well-formed certificate"),
        ("certificate", "empty.pem", "empty.pem or .* is no well-formed PEM"),
        ("key", "own.pem", "own.pem is no well-formed PEM"),
        ("certificate", "ca.pem", "own.key is not the key of .*ca.pem"),
    ],
)
def test_each_bad_file_is_named(pem: Pem, which: str, name: str, said: str) -> None:
    files = {"ca": pem.ca, "certificate": pem.certificate, "key": pem.key, which: pem.ca.parent / name}
    with pytest.raises(ConfigurationError, match=said):
        Client("hub.example:7443", ca=files["ca"], certificate=files["certificate"], key=files["key"])


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(pem: Pem) -> None:
    key = serialization.load_pem_private_key(pem.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    pem.key.write_bytes(key.private_bytes(encoding, form, locked))
    with pytest.raises(ConfigurationError, match="has a password"):
        Watch(pem)


def test_the_same_content_is_nothing_new(pem: Pem) -> None:
    watch = Watch(pem)
    first = watch.current()
    os.utime(pem.certificate, ns=(1, 1))
    assert watch.current() is first
    pem.key.write_bytes(pem.key.read_bytes())
    assert watch.current() is first


def test_a_renewal_that_cannot_be_used_is_told_once_and_the_last_good_one_stays(
    pem: Pem, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    watch = Watch(pem, clock=lambda: now[0])
    first = watch.current()
    good = pem.certificate.read_bytes()
    pem.certificate.write_bytes(good[: len(good) // 2])
    with caplog.at_level(logging.WARNING, "pointbridge"):
        for _ in range(3):
            assert watch.current() is first
            now[0] += 2.0
        pem.certificate.unlink()
        assert watch.current() is first
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "own.pem" in caplog.text
    write(trustme.CA(), pem.certificate.parent)
    assert watch.current().digest != first.digest


def test_files_that_were_refused_are_looked_at_again_though_they_look_the_same(pem: Pem) -> None:
    now = [0.0]
    watch = Watch(pem, clock=lambda: now[0])
    first = watch.current()
    write(trustme.CA(), pem.certificate.parent)
    renewed = pem.certificate.read_bytes()
    # Two writes of one length within one tick of the file system's clock: from outside nothing changes between them.
    pem.certificate.write_bytes(b"x" * len(renewed))
    os.utime(pem.certificate, ns=(1, 1))
    assert watch.current() is first
    pem.certificate.write_bytes(renewed)
    os.utime(pem.certificate, ns=(1, 1))
    assert watch.current() is first
    now[0] += 2.0
    assert watch.current().digest != first.digest
