from toolkit.dataset.exporting import export as export
from toolkit.dataset.machines import export_shard as export_shard
from toolkit.dataset.machines import finish_export as finish_export
from toolkit.dataset.machines import plan_export as plan_export
from toolkit.dataset.read import read_parquet as read_parquet
from toolkit.dataset.shards import Shard as Shard
from toolkit.dataset.shards import ShardReport as ShardReport
