"""Signatures and time stamps of the log's head are checked by others: this verifier, and openssl."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.export.verify_offline import is_signed
from kraken_ohlcv.seals.witness import Signer, WitnessError, ask_time_stamp, signed_text, time_stamp_request
from kraken_ohlcv.stores.ledger.seals import Head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)
"""Test 1 of RFC 8032, section 7.1: of the empty message."""
HEAD = Head(17, "ab" * 32, 1)


def test_the_signature_of_the_standard_is_one_and_no_other_is() -> None:
    public, signature = bytes.fromhex(PUBLIC), bytes.fromhex(SIGNATURE)
    assert is_signed(public, b"", signature)
    assert not is_signed(public, b"x", signature)
    for place in range(64):
        altered = bytearray(signature)
        altered[place] ^= 1
        assert not is_signed(public, b"", bytes(altered))
    assert not is_signed(bytes(32), b"", signature)
    assert not is_signed(public, b"", signature[:-1])
    assert not is_signed(b"\xff" * 32, b"", signature)


@pytest.mark.parametrize("form", ["seed", "PEM", "PEM with escaped line ends"])
def test_a_head_is_signed_by_a_key_of_either_form(form: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secret = {"seed": SEED, "PEM": pem, "PEM with escaped line ends": pem.replace("\n", "\\n")}[form]
    signer = Signer.of(secret)
    assert signer.public_key == PUBLIC
    assert repr(signer) == f"Signer(public_key={PUBLIC!r})"
    assert is_signed(bytes.fromhex(PUBLIC), signed_text(17, "ab" * 32), signer.sign(HEAD))
    assert not is_signed(bytes.fromhex(PUBLIC), signed_text(18, "ab" * 32), signer.sign(HEAD))


@pytest.mark.parametrize("secret", ["", "hunter2", "zz" * 32, "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_secret_that_is_no_key_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SetUpError, match="is no Ed25519 key") as caught:
        Signer.of(secret)
    assert not secret or secret not in str(caught.value)


CONFIG = """[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(*arguments: str) -> str:
    """Run openssl."""
    ended = subprocess.run(  # noqa: S603 (a program of the system)
        [shutil.which("openssl") or "openssl", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.stdout + ended.stderr


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a server of time stamps, which openssl makes."""
    key, certificate, config = (str(tmp_path / name) for name in ("key.pem", "tsa.pem", "tsa.cnf"))
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
        "-subj", "/CN=tsa",
        "-addext", "extendedKeyUsage=critical,timeStamping", "-addext", "keyUsage=digitalSignature",
    )  # fmt: skip
    (tmp_path / "serial").write_text("01")
    (tmp_path / "tsa.cnf").write_text(CONFIG.format(folder=tmp_path))

    class Authority(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            (tmp_path / "query.tsq").write_bytes(query)
            reply = str(tmp_path / "reply.tsr")
            openssl(
                "ts", "-reply", "-config", config, "-section", "here",
                "-queryfile", str(tmp_path / "query.tsq"),
                "-signer", certificate, "-inkey", key, "-out", reply,
            )  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write((tmp_path / "reply.tsr").read_bytes() if self.path == "/" else b"no")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Authority)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("nonce", [bytes(8), b"\x7f" * 8, b"\xff" * 8])
def test_a_request_is_one_for_openssl(tmp_path: Path, nonce: bytes) -> None:
    (tmp_path / "query.tsq").write_bytes(time_stamp_request(bytes.fromhex(HEAD.hash), nonce))
    said = openssl("ts", "-query", "-in", str(tmp_path / "query.tsq"), "-text")
    assert f"Nonce: 0x01{nonce.hex().upper()}" in said
    assert "Hash Algorithm: sha256" in said
    assert "Certificate required: yes" in said


def test_a_time_stamp_is_one_for_openssl(authority: str, tmp_path: Path) -> None:
    reply = ask_time_stamp(authority, bytes.fromhex(HEAD.hash))
    (tmp_path / "kept.tsr").write_bytes(reply)
    certificate = str(tmp_path / "tsa.pem")
    kept = ("-in", str(tmp_path / "kept.tsr"), "-CAfile", certificate)
    assert "Verification: OK" in openssl("ts", "-verify", "-digest", HEAD.hash, *kept)
    with pytest.raises(subprocess.CalledProcessError):
        openssl("ts", "-verify", "-digest", "cd" * 32, *kept)
    with pytest.raises(WitnessError, match="RFC 3161"):
        ask_time_stamp(f"{authority}/broken", bytes.fromhex(HEAD.hash))
