"""Exports series, month by month, as files that somebody without the stores can read and check.

``docs/EXPORT.md`` is the description of the files.
"""

from kraken_ohlcv.export.exporter import Exported, export_candles, export_series
from kraken_ohlcv.export.files import ExportError, ExportRefusedError
from kraken_ohlcv.export.formats import ExportFormat
from kraken_ohlcv.export.proof import prove_exported_bucket

__all__ = [
    "ExportError",
    "ExportFormat",
    "ExportRefusedError",
    "Exported",
    "export_candles",
    "export_series",
    "prove_exported_bucket",
]
