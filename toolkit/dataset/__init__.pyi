from toolkit.dataset.exporting import export as export
from toolkit.dataset.read import read_parquet as read_parquet
