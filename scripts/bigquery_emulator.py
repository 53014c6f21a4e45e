#!/usr/bin/env python3
"""Start bqemulator 1.4.0 for tests, offline and closer to what BigQuery does.

Some things are changed in memory; the installed package is left as it is:
1. GEOGRAPHY: DuckDB's `spatial` extension would be downloaded at start; skip it when it
   cannot be had (no ST_* functions then).
2. AppendRows: every request after the first on a connection may leave `write_stream` empty
   (the official clients do); bqemulator 1.4.0 answers NOT_FOUND "Stream not found: ".
3. Time travel: every append copies the whole table into a snapshot (n appends = O(n^2) time and
   memory, kept for 7 days); skip the automatic snapshots unless BQEMU_TIME_TRAVEL=1.
4. Threads: REST runs on the event loop, AppendRows on pool threads, and both share one DuckDB
   connection. An append during a query gives wrong results or hangs the emulator for good. Run
   the append's DuckDB work on the event loop too.
5. AppendRows into a table with RECORD columns fails (the nested fields are lost), and rows with an
   unknown column or without a REQUIRED one are taken; BigQuery refuses those (INVALID_ARGUMENT).
6. Columns that tables.patch adds are told but cannot be asked for; add them to the DuckDB table too.
7. An open append occupies a thread of a small pool, and that of a client that died is never given back: after a few, every
   further append waits for ever. Take a pool that no test run fills.
8. numpy must be there (it is not among the package's requirements): fail early and say so.
"""
import asyncio
import functools
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

try:
    import numpy  # noqa: F401  (DuckDB create_function needs it)
except ImportError:
    sys.exit("bqemulator needs numpy: pip install numpy")

from bqemulator.grpc_api import write_servicer as ws
from bqemulator.storage import engine as eng
from bqemulator.versioning import snapshots as snap


def load_spatial(self):
    try:
        self._connection.execute("SET autoinstall_known_extensions=false")
        self._connection.execute("LOAD spatial")  # only if somebody installed it already
    except Exception:
        pass


eng.DuckDBEngine._load_spatial = load_spatial
eng.DuckDBEngine._load_format_extensions = lambda self: None

_bound = ws.BigQueryWriteHandler._ensure_stream_bound


def ensure_stream_bound(self, stream_name, bound_ctx, context):
    if not stream_name and bound_ctx is not None:
        return bound_ctx
    return _bound(self, stream_name, bound_ctx, context)


ws.BigQueryWriteHandler._ensure_stream_bound = ensure_stream_bound

if os.environ.get("BQEMU_TIME_TRAVEL") != "1":
    _capture = snap.SnapshotManager.capture

    def capture(self, project_id, dataset_id, table_id, *, kind="AUTO"):
        if kind == "AUTO":
            return None
        return _capture(self, project_id, dataset_id, table_id, kind=kind)

    snap.SnapshotManager.capture = capture

from bqemulator.api.routes import tables as tb  # noqa: E402
from bqemulator.catalog import memory_repository as repo  # noqa: E402

ENGINE = None
_init_engine = eng.DuckDBEngine.__init__


def init_engine(self, *args, **kwargs):
    global ENGINE
    ENGINE = self
    _init_engine(self, *args, **kwargs)


eng.DuckDBEngine.__init__ = init_engine
_update_table = repo.MemoryCatalogRepository.update_table


def update_table(self, table):
    updated = _update_table(self, table)
    if updated.table_type == "TABLE":
        fields = [tb._field_to_rest(field) for field in updated.schema_.fields]
        target = tb.quoted_table_ref(updated.project_id, updated.dataset_id, updated.table_id)
        for name, kind in tb.bq_schema_to_duckdb_columns(fields):
            ENGINE.execute(f'ALTER TABLE {target} ADD COLUMN IF NOT EXISTS "{name}" {kind.split(" NOT NULL")[0]}')
    return updated


repo.MemoryCatalogRepository.update_table = update_table

from bqemulator import server as srv  # noqa: E402
from bqemulator.api.routes import tabledata as td  # noqa: E402
from bqemulator.grpc_api import read_servicer as rs  # noqa: E402

ws._table_arrow_schema = lambda meta: td._build_arrow_schema(
    td._fields_raw_from_schema(meta.schema_.fields)
)
_align = ws._align_to_target


def align_to_target(table, target):
    unknown = [c for c in table.column_names if c not in target.names]
    if unknown:
        raise ValueError(f"The source object has fields unknown to BigQuery: {unknown}")
    for field in target:
        if not field.nullable and (
            field.name not in table.column_names or table.column(field.name).null_count
        ):
            raise ValueError(f"Field {field.name} is REQUIRED but has no value")
    return _align(table, target)


ws._align_to_target = align_to_target

LOOP = None
LOOP_THREAD = None
_start = srv.EmulatorServer.start
_aio_server = grpc.aio.server


def aio_server(*args, **kwargs):
    kwargs.setdefault("migration_thread_pool", ThreadPoolExecutor(max_workers=2000))
    return _aio_server(*args, **kwargs)


grpc.aio.server = aio_server


async def start(self):
    global LOOP, LOOP_THREAD
    LOOP = asyncio.get_running_loop()
    LOOP.set_default_executor(ThreadPoolExecutor(max_workers=2000))
    LOOP_THREAD = threading.get_ident()
    await _start(self)


srv.EmulatorServer.start = start


def on_loop(fn):
    """Run a gRPC handler's DuckDB work on the event loop, one at a time with REST."""

    @functools.wraps(fn)
    def wrapped(*args):
        if threading.get_ident() == LOOP_THREAD:  # unary handlers already run there
            return fn(*args)

        async def run():
            return fn(*args)

        return asyncio.run_coroutine_threadsafe(run(), LOOP).result()

    return wrapped


ws.BigQueryWriteHandler._flush_to_target = on_loop(ws.BigQueryWriteHandler._flush_to_target)
rs.BigQueryReadHandler._handle_create_read_session = on_loop(
    rs.BigQueryReadHandler._handle_create_read_session
)

from bqemulator.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
