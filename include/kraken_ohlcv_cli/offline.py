"""``verify --export`` and ``verify --proof``: what the offline verifier finds, without any store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.export.verify_offline import HEX, Found, check_folder, check_proof


def verify_files(export: Path | None, proof: Path | None, root: str | None, key: str | None = None) -> Found:
    """Verify an export, or the proof of a bucket.

    :param export: folder with a manifest; None = the proof is meant
    :param proof: file
    :param root: hash that was kept elsewhere, hexadecimal
    :param key: public key of signatures of an export that was kept elsewhere, hexadecimal
    :raises BadRequestError: if the root or the key is none, or not one of the two is given, or there is
        nothing there
    """
    wanted, known = (None if one is None else one.strip().lower() for one in (root, key))
    for name, given in (("root", wanted), ("key", known)):
        if given is not None and HEX.fullmatch(given) is None:
            raise BadRequestError(f"{name} {given!r} is none: it has 64 hexadecimal digits")
    if known is not None and export is None:
        raise BadRequestError("a proof holds no signature: leave the key out")
    try:
        if export is not None and proof is None:
            return check_folder(export, wanted, key=known)
        if proof is not None and export is None:
            return check_proof(proof.read_bytes(), wanted)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadRequestError(
            f"there is no {error.filename}: give the folder of an export, or the file of a proof"
        ) from error
    raise BadRequestError("an export and a proof are verified one by one: give one of them")


def as_json(found: Found) -> dict[str, Any]:
    """Return what was found as JSON."""
    return {"is_whole": found.is_whole, **asdict(found)}
