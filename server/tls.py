"""TLS at the edge: a certificate and its key become what a listening socket needs.

Not here: where certificates come from. They are read when a gateway starts.
"""

from __future__ import annotations

import ssl
from pathlib import Path


class TlsError(Exception):
    """There is no TLS with these files: ``what`` says why, ``remedy`` what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate (PEM; with its chain, its own first) and its key. Raises TlsError."""
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise TlsError(f"cannot read {path}: {error.strerror}", "check --tls-cert and --tls-key") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty password: a key that needs one is an error, not a question on somebody's terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            raise TlsError(f"{key} is not the key of {certificate}", "name the two that belong together") from error
        raise TlsError(
            f"{certificate} and {key} are no certificate and key: {error.reason or error}",
            "use PEM files, and a key without a password",
        ) from error
    return context
