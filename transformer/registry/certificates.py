"""Whom TLS trusts and what it shows of itself: the system's CAs, a policy's bundle, and the files of certs.d.

    <directory>/<host[:port]>/*.crt          CAs for that host
    <directory>/<host[:port]>/NAME.cert      a client certificate, with NAME.key beside it

What is configured for one host and cannot be read is an error of that host; what is wrong with SSL_CERT_FILE and
SSL_CERT_DIR is said where it matters, when a certificate is then not trusted. Verification is never turned off.
Source of the layout: docker's and containers' certs.d(5).
"""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.registry.hosts import API_HOSTS
from transformer.registry.transport import DEFAULT_PORTS, TransportError, Url

DIRECTORIES = ("/etc/containers/certs.d", "/etc/docker/certs.d")
#: More than any directory of CAs holds; beyond it the rest is left out.
FILES_LIMIT = 1024
#: What `openssl rehash` makes, and OpenSSL finds by itself.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


class Files(NamedTuple):
    """What one host's TLS is made of: paths of CAs, and of client certificates with their keys."""

    authorities: tuple[str, ...] = ()
    clients: tuple[tuple[str, str], ...] = ()


class Certificates:
    """SSL contexts, made when first needed and shared by all hosts with the same files."""

    def __init__(self, environ: Mapping[str, str], directories: tuple[str, ...] = DIRECTORIES) -> None:
        self._environ, self._directories = environ, directories
        self._lock = threading.Lock()
        self._files: dict[tuple[Url, str | None], Files] = {}
        self._contexts: dict[Files, ssl.SSLContext] = {}
        #: What was wrong with the environment's own CAs.
        self._doubts: list[str] = []

    def context(self, url: Url, ca_bundle: str | None = None) -> ssl.SSLContext:
        """The context for a host; `ca_bundle` adds to what is trusted. Raises TransportError `tls`."""
        with self._lock:  # making a context costs 20-30 ms, and the first 32 requests come together
            key = (url._replace(target="/"), ca_bundle)
            files = self._files.get(key)
            if files is None:
                files = self._files[key] = self._find(url, ca_bundle)
            context = self._contexts.get(files)
            if context is None:
                context = self._contexts[files] = self._make(files)
            return context

    def doubts(self) -> str:
        """For a certificate that is not trusted: what was wrong with SSL_CERT_FILE and SSL_CERT_DIR, "" for nothing."""
        return "; ".join(self._doubts)

    def _find(self, url: Url, ca_bundle: str | None) -> Files:
        authorities = [ca_bundle] if ca_bundle is not None else []
        clients: list[tuple[str, str]] = []
        for directory in self._directories:
            for name in _names(url):
                more = _of_directory(os.path.join(directory, name))
                authorities += more.authorities
                clients += more.clients
        return Files(tuple(authorities), tuple(clients))

    def _make(self, files: Files) -> ssl.SSLContext:
        context = ssl.create_default_context()  # reads SSL_CERT_FILE, and what is hashed in SSL_CERT_DIR
        # Python 3.13 became strict about extensions that the CAs of many companies lack; Docker, curl and Go are not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.set_alpn_protocols(["http/1.1"])
        self._doubts = self._add_environment(context)
        for path in files.authorities:
            reason = _trust(context, path)
            if reason:
                raise _unusable(f"the CA file {shorten(path)}", reason, "correct caBundle or certs.d")
        # Of several for one kind of key the last one counts: the first by name shall.
        for certificate, key in reversed(files.clients):
            _show(context, certificate, key)
        return context

    def _add_environment(self, context: ssl.SSLContext) -> list[str]:
        doubts = []
        file = self._environ.get("SSL_CERT_FILE")
        if file and (reason := _trust(context, file)):
            doubts.append(f"SSL_CERT_FILE {shorten(file)}: {reason}")
        for directory in filter(None, self._environ.get("SSL_CERT_DIR", "").split(":")):
            try:
                names = sorted(os.listdir(directory))[:FILES_LIMIT]
            except OSError as error:
                doubts.append(f"SSL_CERT_DIR {shorten(directory)}: {_reason(error)}")
                continue
            for name in names:
                if not _HASHED.fullmatch(name):
                    _trust(context, os.path.join(directory, name))  # other files may lie there
        return doubts


def _names(url: Url) -> tuple[str, ...]:
    """What a host's directory may be called: with the port when it is not 443, or in any case."""
    hub = (DOCKER_HUB,) if url.host == API_HOSTS[DOCKER_HUB] else ()
    port = (f"{url.host}:{url.port}",)
    return (*((url.host,) if url.port == DEFAULT_PORTS["https"] else ()), *port, *hub)


def _of_directory(directory: str) -> Files:
    """The files of one host's directory, which usually is not there."""
    try:
        names = sorted(os.listdir(directory))[:FILES_LIMIT]
    except (FileNotFoundError, NotADirectoryError):
        return Files()
    except OSError as error:
        raise _unusable(shorten(directory), _reason(error), "correct its permissions") from error
    there, clients = set(names), []
    for name in names:
        base, extension = os.path.splitext(name)
        partner = {".cert": ".key", ".key": ".cert"}.get(extension)
        if partner is None:
            continue
        if base + partner not in there:
            path = shorten(os.path.join(directory, name))
            raise _unusable(path, f"{shorten(base + partner)} is not beside it", "put both there, or take it away")
        if extension == ".cert":
            clients.append((os.path.join(directory, name), os.path.join(directory, base + ".key")))
    authorities = [os.path.join(directory, name) for name in names if name.endswith(".crt")]
    return Files(tuple(authorities), tuple(clients))


def _trust(context: ssl.SSLContext, path: str) -> str:
    """Adds the CAs of a file; answers why not, "" when it worked."""
    return _try(lambda: context.load_verify_locations(cafile=path), "it holds no certificate")


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # Without a password of ours OpenSSL would ask the terminal for one.
    reason = _try(lambda: context.load_cert_chain(certificate, key, password=""), "not a PEM certificate with its key")
    if reason:
        what = f"the client certificate {shorten(certificate)} with {shorten(os.path.basename(key))}"
        raise _unusable(what, reason, "both must be PEM, belong together, and the key must not be encrypted")


def _try(load: Callable[[], None], otherwise: str) -> str:
    try:
        load()
    except ssl.SSLError:
        return otherwise
    except (OSError, ValueError) as error:
        return _reason(error) if isinstance(error, OSError) else otherwise
    return ""


def _reason(error: OSError) -> str:
    return shorten(error.strerror or "it cannot be read")


def _unusable(what: str, reason: str, step: str) -> TransportError:
    return TransportError("tls", f"{what} cannot be used: {reason}", step, connected=False)
