"""Credentials: where they may be, in which order they are tried, and what each source may cost.

The rest of the registry room imports from here. Nothing is read, run or asked before the first registry is; cloud SDKs
and subprocesses are imported by the source that needs them, when it is needed. A secret never leaves a Credential
except into a request. Whether a registry or a realm may see one is decided elsewhere (realm.py, session.py).
"""

from transformer.registry.keychain.chain import Keychain, NoKeychain, ambient_keychain
from transformer.registry.keychain.credential import ANONYMOUS, Credential, KeychainError, Source, Wanted

__all__ = [
    "ANONYMOUS",
    "Credential",
    "Keychain",
    "KeychainError",
    "NoKeychain",
    "Source",
    "Wanted",
    "ambient_keychain",
]
