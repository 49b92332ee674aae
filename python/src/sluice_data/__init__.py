"""Read data products of a Sluice lake, ask them in SQL, and start and follow runs.

>>> import sluice_data
>>> client = sluice_data.connect("http://127.0.0.1:8080", "bi.a77c11df2c7d.secret")

Then ``client.products()`` finds products, ``client.table("sales.retail.daily_revenue").to_pandas()`` reads one,
``client.sql("SELECT …")`` asks, and ``client.runs.start("retail").wait()`` runs a pipeline.
"""

from ._transport import Retries
from ._version import __version__
from .client import Client, Product, connect
from .diff import TableDiff
from .errors import (
    ApiError,
    ConnectionFailedError,
    ForbiddenError,
    MissingExtraError,
    NotFoundError,
    RunFailedError,
    SluiceError,
    UnauthenticatedError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from .models import Audit, Column, Lineage, Port, Products, ProductSummary, Promise, Quality, Rule
from .query import QueryResult
from .runs import Commit, Run, RunError, RunList, RunReport, Runs, StateChange, TableRows, Verdict
from .table import Preview, Reading, Table

__all__ = [
    "ApiError",
    "Audit",
    "Client",
    "Column",
    "Commit",
    "ConnectionFailedError",
    "ForbiddenError",
    "Lineage",
    "MissingExtraError",
    "NotFoundError",
    "Port",
    "Preview",
    "Product",
    "ProductSummary",
    "Products",
    "Promise",
    "Quality",
    "QueryResult",
    "Reading",
    "Retries",
    "Rule",
    "Run",
    "RunError",
    "RunFailedError",
    "RunList",
    "RunReport",
    "Runs",
    "SluiceError",
    "StateChange",
    "Table",
    "TableDiff",
    "TableRows",
    "UnauthenticatedError",
    "UnexpectedAnswerError",
    "Verdict",
    "WaitTimeoutError",
    "__version__",
    "connect",
]
