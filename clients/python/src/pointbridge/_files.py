"""The PEM files of a client: read, checked against each other, and watched for a renewal.

Whoever renews a certificate writes two files, one after the other, so a change counts only once what is there goes
together; until then the last good files stay in use. Nothing runs in the background: the files are looked at, which
takes microseconds, whenever a call is made.
"""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from pointbridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("pointbridge")

AGAIN_SECONDS = 1.0
"""How long files that could not be used are left alone, as long as they look the same."""

Look = tuple[tuple[int, int, int], ...]
"""What a file system tells of the files without their content."""


@dataclass(frozen=True)
class Pem:
    """Where the files are."""

    ca: Path
    """The authorities that may sign the hub's certificate. No others are trusted, the system's neither."""
    certificate: Path
    """The caller's certificate, leaf first, then any between it and its authority."""
    key: Path
    """The private key of the certificate, without a password."""

    def look(self) -> Look:
        """A look at the files from outside.

        Raises:
            ConfigurationError: One of them is missing.
        """
        found = []
        for path in (self.ca, self.certificate, self.key):
            try:
                status = os.stat(path)
            except OSError as error:
                raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    def load(self) -> Loaded:
        """Reads the files and checks that they can be used together.

        Raises:
            ConfigurationError: A file is missing, holds nothing of what it is for, or the key is not the
                certificate's.
        """
        ca, certificate, key = (_bytes(path) for path in (self.ca, self.certificate, self.key))
        self._check()
        if [ca, certificate, key] != [_bytes(path) for path in (self.ca, self.certificate, self.key)]:
            raise ConfigurationError(f"{self.certificate} and what belongs to it changed while they were read")
        digest = hashlib.sha256(b"\0".join((ca, certificate, key))).digest()
        return Loaded(digest, grpc.ssl_channel_credentials(ca, key, certificate))

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=self.ca)
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(f"{self.ca} holds no well-formed certificate of an authority") from error
        try:
            context.load_cert_chain(self.certificate, self.key, password=self._no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(f"{self.key} is not the key of {self.certificate}") from error
            raise ConfigurationError(
                f"{self.certificate} or {self.key} is no well-formed PEM file of a certificate, or of its key"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.certificate} or {self.key}: {error.strerror}") from error

    def _no_password(self) -> str:
        raise ConfigurationError(f"{self.key} has a password: store the key without one, readable for this user only")


@dataclass(frozen=True)
class Loaded:
    """Files that go together."""

    digest: bytes
    """Tells whether the content is another one."""
    credentials: grpc.ChannelCredentials


class Watch:
    """Tells when the files hold something new that can be used. May be asked by several threads."""

    def __init__(self, pem: Pem, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the files.

        Raises:
            ConfigurationError: They cannot be used.
        """
        self._pem = pem
        self._clock = clock
        self._lock = threading.Lock()
        # Before the content, so that a change between the two is seen with the next look.
        self._look = pem.look()
        self._loaded = pem.load()
        self._refused: tuple[Look | None, float] | None = None

    def current(self) -> Loaded:
        """The newest files that could be used; a renewal that could not be is logged, and the last good ones stay."""
        look = self._glance()
        # Most often nothing is new, and then no thread waits for another.
        if look == self._look:
            return self._loaded
        with self._lock:
            if look != self._look and not self._is_refused(look):
                self._renew(look)
            return self._loaded

    def _glance(self) -> Look | None:
        try:
            return self._pem.look()
        except ConfigurationError:
            return None

    def _is_refused(self, look: Look | None) -> bool:
        return self._refused is not None and self._refused[0] == look and self._clock() < self._refused[1]

    def _renew(self, look: Look | None) -> None:
        try:
            loaded = self._pem.load()
        except ConfigurationError as error:
            if self._refused is None or self._refused[0] != look:
                logger.warning("a new certificate cannot be used, the last good one stays: %s", error)
            self._refused = look, self._clock() + AGAIN_SECONDS
            return
        self._refused = None
        if loaded.digest != self._loaded.digest:
            self._loaded = loaded
            logger.info("the certificate was read anew: %s", self._pem.certificate)
        if look is not None:
            self._look = look


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
