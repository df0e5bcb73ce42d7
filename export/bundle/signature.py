"""A bundle's signature, made and checked by OpenSSH: ``ssh-keygen -Y sign`` and ``-Y verify``.

The manifest holds the SHA-256 of every other file, so its signature covers the whole bundle. Format and command are
those of OpenSSH 8.0 and newer (PROTOCOL.sshsig); the namespace keeps a signature for another purpose from being used.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from export.bundle.check import Check
from export.bundle.manifest import MANIFEST_BYTES, MANIFEST_NAME
from foundation.errors import UserError
from foundation.regular_file import read_regular
from foundation.temporary_folder import TemporaryFolder

SIGNATURE_NAME = f"{MANIFEST_NAME}.sig"
NAMESPACE = "latseg-bundle"
_PROGRAM = "ssh-keygen"
_SIGNATURE_BYTES = 64 * 2**10
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Signer:
    """Who must have signed: an identity (often a mail address) and the file that lists the keys of identities.

    The file has the form of ``ALLOWED SIGNERS`` in ssh-keygen(1): lines such as ``me@example.org ssh-ed25519 AAAA...``.
    """

    identity: str
    allowed_signers: Path

    @staticmethod
    def parse(text: str) -> Signer:
        """Reads ``IDENTITY/FILE``, such as ``me@example.org/allowed_signers``; FILE may be absolute.

        Raises:
            UserError: not of this form, or FILE is no file.
        """
        identity, _, path = text.partition("/")
        if not identity or identity.startswith("-") or not Path(path).is_file():
            raise UserError(
                "signer",
                seen=repr(text),
                expected="IDENTITY/FILE with a file of allowed signers",
                remedy="write for example me@example.org/allowed_signers; `man ssh-keygen` describes the file",
            )
        return Signer(identity, Path(path))


def check_signing(key: Path) -> None:
    """Checks before long work that a bundle can be signed with the private (or agent's public) ``key``.

    Raises:
        UserError: ssh-keygen is not installed, or there is no such file.
    """
    _program()
    if not key.is_file():
        raise UserError(
            "signing key", seen=key, expected="a file with an SSH key", remedy="make one: ssh-keygen -t ed25519 -f KEY"
        )


def sign(folder: Path, key: Path) -> Path:
    """Signs the manifest in ``folder``; returns the file of the signature beside it.

    Raises:
        UserError: ssh-keygen is not installed, or refuses the key.
    """
    check_signing(key)
    signature = folder / SIGNATURE_NAME
    signature.unlink(missing_ok=True)
    run = subprocess.run(
        [_program(), "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(folder / MANIFEST_NAME)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if run.returncode or not signature.is_file():
        raise UserError(
            "signing key",
            seen=f"{key} ({_reason(run)})",
            expected="a key that signs",
            remedy="check key and passphrase",
        )
    return signature


def check_signature(folder: Path, signer: Signer) -> Check:
    """Whether the manifest in ``folder`` was signed by ``signer``.

    Raises:
        UserError: ssh-keygen is not installed.
    """
    program = _program()
    try:
        content = read_regular(folder / MANIFEST_NAME, limit=MANIFEST_BYTES, follow_links=False)
        signature = read_regular(folder / SIGNATURE_NAME, limit=_SIGNATURE_BYTES, follow_links=False)
    except FileNotFoundError:
        return Check("signature", False, f"the bundle is not signed: it has no {SIGNATURE_NAME}")
    except OSError as error:
        return Check("signature", False, f"{error.filename}: {error.strerror}")
    with TemporaryFolder() as private:
        copy = private.path / SIGNATURE_NAME
        copy.write_bytes(signature)
        command = [program, "-Y", "verify", "-f", str(signer.allowed_signers), "-I", signer.identity]
        command += ["-n", NAMESPACE, "-s", str(copy)]
        try:
            run = subprocess.run(command, input=content, capture_output=True, check=False, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return Check("signature", False, f"{_PROGRAM} did not answer within {_TIMEOUT_S} s")
    if run.returncode:
        return Check("signature", False, f"not signed by {signer.identity}: {_reason(run)}")
    return Check("signature", True, f"signed by {signer.identity}")


def _program() -> str:
    found = shutil.which(_PROGRAM)
    if found is None:
        raise UserError(
            "signature",
            seen=f"no {_PROGRAM}",
            expected="OpenSSH 8.0 or newer",
            remedy="install it (Debian: apt install openssh-client)",
        )
    return found


def _reason(run: subprocess.CompletedProcess[bytes]) -> str:
    text = (run.stderr or run.stdout).decode("utf-8", "replace")
    return " ".join(text.split()) or f"exit code {run.returncode}"
