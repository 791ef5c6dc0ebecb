"""Writes ``include/assets.schema.json`` from the file's model: ``python -m tools.plan_schema``."""

from __future__ import annotations

import json
import sys
from typing import Final

from kraken_ohlcv.core.plan_file import FileModel
from local.processes import ROOT

DOCUMENT: Final = ROOT / "include" / "assets.schema.json"


def document() -> str:
    """Return the JSON schema with which editors complete and check the file."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **FileModel.model_json_schema()}
    return (
        json.dumps(schema, indent=2).replace("#/$defs/", "#/definitions/").replace("$defs", "definitions")
        + "\n"
    )


def main() -> int:
    """Write the document.

    :return: exit code
    """
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(f"Written: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
