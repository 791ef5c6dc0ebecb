from kraken_ohlcv.core.bucket_status import BucketStatus as BucketStatus
from kraken_ohlcv.export import export_candles as export_candles
from kraken_ohlcv.reader.candles import iter_candles as iter_candles
from kraken_ohlcv.reader.candles import read_candles as read_candles
from kraken_ohlcv.reader.figures import complete_until as complete_until
from kraken_ohlcv.reader.figures import coverage as coverage
from kraken_ohlcv.reader.holes import Hole as Hole
from kraken_ohlcv.reader.holes import IncompleteError as IncompleteError
from kraken_ohlcv.reader.past import snapshot as snapshot
from kraken_ohlcv.reader.scope import tickers_of as tickers_of
from kraken_ohlcv.reader.stores import open_stores as open_stores
from kraken_ohlcv.seals.price import price_at as price_at
from kraken_ohlcv.seals.verify import verify as verify

__version__: str
READER: dict[str, str]
