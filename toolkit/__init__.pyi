from toolkit import errors as errors
from toolkit import metrics as metrics
from toolkit import plot as plot
from toolkit import schema as schema
from toolkit.combine import concat as concat
from toolkit.dataset import read_parquet as read_parquet
from toolkit.decode import decoder as decoder
from toolkit.errors import ArgumentError as ArgumentError
from toolkit.errors import ExportError as ExportError
from toolkit.errors import NoRecordsError as NoRecordsError
from toolkit.errors import RecordError as RecordError
from toolkit.errors import SchemaError as SchemaError
from toolkit.errors import SelectionError as SelectionError
from toolkit.errors import SourceError as SourceError
from toolkit.errors import ToolkitError as ToolkitError
from toolkit.errors import ToolkitWarning as ToolkitWarning
from toolkit.load import from_responses as from_responses
from toolkit.load import read as read
from toolkit.load import scan as scan
from toolkit.metrics import corpus_metrics as corpus_metrics
from toolkit.metrics import position_metrics as position_metrics
from toolkit.metrics import sequence_metrics as sequence_metrics
from toolkit.metrics import token_metrics as token_metrics
from toolkit.metrics import usage as usage
from toolkit.parquet import export as export
from toolkit.tables import LogprobTables as LogprobTables

__version__: str
