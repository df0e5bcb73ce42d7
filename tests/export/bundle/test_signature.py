"""Signatures of bundles, with keys made by ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from export.bundle.check import VerifyResult
from export.bundle.manifest import Manifest, ManifestError, read_manifest
from export.bundle.signature import Signer, sign
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from latseg.bundle import Bundle
from tests.export.conftest import runtime_device

Make = Callable[..., Manifest]
ME = "me@example.org"
needs_openssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")


def make_key(folder: Path, name: str) -> Path:
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return key


def allowed(folder: Path, key: Path, identity: str = ME) -> Signer:
    path = folder / "allowed_signers"
    path.write_text(f"{identity} {key.with_suffix('.pub').read_text()}")
    return Signer(identity, path)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "key")


@pytest.fixture
def signed(bundle: Path, key: Path) -> Path:
    sign(bundle, key)
    return bundle


def verify(folder: Path, signer: Signer | None) -> VerifyResult:
    return verify_bundle(folder, signer=signer, measure=False, get_device=runtime_device)


def failures(result: VerifyResult) -> dict[str, str]:
    return {check.name: check.detail for check in result.checks if not check.ok}


@needs_openssh
def test_export_signs_and_verify_checks_who(make_bundle: Make, tmp_path: Path, key: Path) -> None:
    make_bundle(sign=key)
    result = verify(tmp_path / "bundle", allowed(tmp_path, key))
    assert result.ok, result.checks
    assert (result.checks[0].name, result.checks[0].detail) == ("signature", f"signed by {ME}")
    assert "all 4 files, a signature, no other" in [check.detail for check in result.checks]
    assert verify(tmp_path / "bundle", None).ok


@needs_openssh
def test_a_bundle_without_signature_fails(bundle: Path, tmp_path: Path, key: Path) -> None:
    found = failures(verify(bundle, allowed(tmp_path, key)))
    assert found == {"signature": "the bundle is not signed: it has no manifest.json.sig"}


@needs_openssh
def test_another_key_or_identity_fails(signed: Path, tmp_path: Path, key: Path) -> None:
    other = make_key(tmp_path, "other")
    assert "signature" in failures(verify(signed, allowed(tmp_path, other)))
    signers = allowed(tmp_path, key).allowed_signers
    assert "signature" in failures(verify(signed, Signer("you@example.org", signers)))


@needs_openssh
@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
def test_a_change_behind_the_signature_fails(signed: Path, tmp_path: Path, key: Path, name: str) -> None:
    lines = (signed / name).read_text().splitlines()
    if name.endswith("sig"):
        lines[-3] = ("B" if lines[-3][0] == "A" else "A") + lines[-3][1:]  # of the signature's own bytes
    (signed / name).write_text("\n".join(lines))  # without the last end of line
    assert list(failures(verify(signed, allowed(tmp_path, key)))) == ["signature"]


@needs_openssh
def test_a_signature_for_another_purpose_fails(bundle: Path, tmp_path: Path, key: Path) -> None:
    command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "file", str(bundle / "manifest.json")]
    subprocess.run(command, check=True, capture_output=True)
    assert list(failures(verify(bundle, allowed(tmp_path, key)))) == ["signature"]


@needs_openssh
def test_a_signature_that_is_a_link_is_not_followed(signed: Path, tmp_path: Path, key: Path) -> None:
    (signed / "manifest.json.sig").rename(tmp_path / "elsewhere.sig")
    (signed / "manifest.json.sig").symlink_to(tmp_path / "elsewhere.sig")
    assert "is a link" in failures(verify(signed, allowed(tmp_path, key)))["signature"]


@needs_openssh
def test_a_signed_bundle_is_signed_again(signed: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path, "other")
    sign(signed, other)
    assert verify(signed, allowed(tmp_path, other)).ok


@needs_openssh
def test_a_key_that_is_no_key(make_bundle: Make, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "no_key").write_text("no key")
    with pytest.raises(UserError, match=r"signing key: got .*no_key"):
        sign(bundle, tmp_path / "no_key")
    with pytest.raises(UserError, match=r"signing key: got .*missing; expected a file with an SSH key"):
        make_bundle(sign=tmp_path / "missing")
    manifest = read_manifest(bundle)
    with pytest.raises(UserError):
        make_bundle(sign=tmp_path / "no_key")
    assert read_manifest(bundle) == manifest  # a bundle that cannot be signed replaces nothing


@needs_openssh
def test_the_interface_takes_identity_and_file_in_one_text(signed: Path, tmp_path: Path, key: Path) -> None:
    signers = allowed(tmp_path, key).allowed_signers
    result = Bundle(signed).verify(measure=False, signer=f"{ME}/{signers}")
    assert (result.checks[0].name, result.checks[0].ok) == ("signature", True)
    assert not Bundle(signed).verify(measure=False, signer=f"you@example.org/{signers}").checks[0].ok


@pytest.mark.parametrize("text", ["", "me", "me/missing", "/etc/hostname", "-f/allowed_signers", "me/"])
def test_a_signer_that_is_no_signer(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("allowed_signers").write_text("")
    with pytest.raises(UserError, match="signer: got"):
        Signer.parse(text)
    assert Signer.parse("me/allowed_signers") == Signer("me", Path("allowed_signers"))


def test_openssh_that_is_not_installed_is_said_in_one_line(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for work in (lambda: sign(bundle, bundle / "manifest.json"), lambda: verify(bundle, Signer(ME, tmp_path))):
        with pytest.raises(UserError, match=r"signature: got no ssh-keygen; expected OpenSSH 8\.0") as error:
            work()
        assert "\n" not in str(error.value)


def test_a_damaged_manifest_is_said_before_its_signature(bundle: Path, tmp_path: Path) -> None:
    (bundle / "manifest.json").write_text("{")
    with pytest.raises(ManifestError):
        read_manifest(bundle)
    assert list(failures(verify(bundle, Signer(ME, tmp_path)))) == ["manifest"]
