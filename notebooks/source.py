"""Where the notebooks take their tables from: one switch, the same columns.

    HARK_SOURCE=embedded   the data folder of a Hark that may be running (HARK_DATA_DIR, default ../hark-data), read-only
    HARK_SOURCE=parquet    files that `hark export --output readings.parquet` wrote (HARK_PARQUET, may be a pattern)
    HARK_SOURCE=bigquery   the dataset of the services in the cloud (PROJECT_ID, HARK_DATASET, default iot_data)
"""
import contextlib
import os
import pathlib
import sqlite3

import pandas as pd

SOURCE = os.environ.get("HARK_SOURCE", "embedded")
DATA_DIR = pathlib.Path(os.environ.get("HARK_DATA_DIR", "../hark-data"))
PARQUET = os.environ.get("HARK_PARQUET", "../readings.parquet")
PROJECT = os.environ.get("PROJECT_ID", "")
DATASET = os.environ.get("HARK_DATASET", "iot_data")
FLAGS = ["flag", "is_anomaly", "temperature_flag", "vibration_flag"]


def readings(columns, since=None, judged=False):
    """The stored readings with the named columns, oldest first; `since` is a pandas Timestamp in UTC."""
    frame = {"embedded": _embedded, "parquet": _parquet, "bigquery": _bigquery}[SOURCE](columns, since, judged)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    # A column without any value comes as one of objects.
    for name in frame.columns[frame.columns.str.contains("score|expected")]:
        frame[name] = pd.to_numeric(frame[name])
    for name in frame.columns.intersection(FLAGS):
        frame[name] = frame[name].astype("boolean").fillna(False).astype(bool)
    return frame.sort_values("timestamp", ignore_index=True)


def labelled_incidents():
    """Incidents with the last word that a person said on each; empty where nobody said anything yet."""
    columns = ["id", "device_id", "began", "peak_score", "severity", "label"]
    if SOURCE == "bigquery":
        return _asked(
            f"SELECT i.incident_id AS id, i.device_id, i.began, i.peak_score, i.severity, l.detail AS label"
            f" FROM `{PROJECT}.{DATASET}.incidents` i JOIN `{PROJECT}.{DATASET}.labels` l ON l.incident_id = i.incident_id")
    if SOURCE != "embedded":  # the files hold readings alone
        return pd.DataFrame(columns=columns)
    with _opened() as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        if not {"incidents", "labels"} <= tables:
            return pd.DataFrame(columns=columns)
        return pd.read_sql_query(
            "SELECT i.id, i.device_id, i.began, i.peak_score, i.severity, l.label"
            " FROM incidents i JOIN labels l ON l.incident_id = i.id", connection)


def _names(columns):
    return ", ".join(f'"{it}"' for it in columns)


def _conditions(since, judged, instant):
    """What readings must meet; `instant` writes a time as the source does."""
    met = ["TRUE"] + ([f"timestamp >= {instant(since)}"] if since is not None else []) + (["score IS NOT NULL"] if judged else [])
    return " AND ".join(met)


@contextlib.contextmanager
def _opened():
    """The database, read-only. It is closed after each question: an open view would keep Hark's log from shrinking."""
    file = DATA_DIR / "hark.db"
    if not file.exists():
        raise FileNotFoundError(f"there is no {file}: set HARK_DATA_DIR to the data folder of a Hark")
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _embedded(columns, since, judged):
    where = _conditions(since, judged, lambda it: int(it.timestamp() * 1e6))
    with _opened() as connection:
        frame = pd.read_sql_query(f"SELECT {_names(columns)} FROM sensor_readings WHERE {where}", connection)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="us", utc=True)
    return frame


def _parquet(columns, since, judged):
    import duckdb

    where = _conditions(since, judged, lambda it: f"TIMESTAMPTZ '{it.isoformat()}'")
    return duckdb.execute(f"SELECT {_names(columns)} FROM read_parquet(?) WHERE {where}", [PARQUET]).df()


def _asked(sql):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    emulator = os.environ.get("BIGQUERY_REST_ENDPOINT")
    more = {"client_options": {"api_endpoint": emulator}, "credentials": AnonymousCredentials()} if emulator else {}
    client = bigquery.Client(project=PROJECT, **more)
    return client.query(sql).result().to_dataframe(create_bqstorage_client=False)


def _bigquery(columns, since, judged):
    where = _conditions(since, judged, lambda it: f"TIMESTAMP '{it.isoformat()}'")
    names = ", ".join(f"`{it}`" for it in columns)
    return _asked(f"SELECT {names} FROM `{PROJECT}.{DATASET}.readings` WHERE {where}")
