"""A certificate authority of the tests' own, made by openssl, and what it signs."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Authority:
    """A CA in a directory; `ca` is the path of its certificate."""

    def __init__(self, root: Path) -> None:
        self.root, self.ca = root, str(root / "ca.pem")
        self.openssl(
            *"req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj".split(), "/CN=Test CA"
        )

    def sign(self, name: str, *hosts: str, client: bool = False) -> tuple[str, str]:
        """A certificate for hosts (names or addresses), or for a client; answers the paths of it and of its key."""
        names = ",".join(f"IP:{host}" if host[-1].isdigit() else f"DNS:{host}" for host in hosts) or "DNS:client.test"
        usage = "clientAuth" if client else "serverAuth"
        (self.root / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
        self.openssl(*f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}".split())
        self.openssl(
            *f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem".split(),
            *f"-days 2 -extfile {name}.ext".split(),
        )
        return str(self.root / f"{name}.pem"), str(self.root / f"{name}.key")

    def server(self, name: str, *hosts: str, clients: bool = False) -> ssl.SSLContext:
        """A server's context; with `clients` it wants a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(name, *hosts))
        if clients:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def openssl(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Runs openssl in the directory; answers its stdout."""
        command = ["openssl", *arguments]
        ran = subprocess.run(command, cwd=self.root, input=stdin, capture_output=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout
