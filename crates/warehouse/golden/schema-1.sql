PRAGMA application_id = 1214345835;
PRAGMA user_version = 1;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  code TEXT NOT NULL,
  field TEXT,
  detail TEXT NOT NULL,
  payload BLOB NOT NULL
) STRICT;
CREATE TABLE devices (
  device_id TEXT PRIMARY KEY NOT NULL,
  building TEXT,
  floor TEXT,
  room TEXT,
  device_type TEXT,
  first_received_at INTEGER NOT NULL,
  last_received_at INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  first_timestamp INTEGER,
  last_timestamp INTEGER,
  latest_at INTEGER,
  state BLOB
) STRICT;
CREATE TABLE incident_audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  incident_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT,
  note TEXT,
  before TEXT
) STRICT;
CREATE TABLE incidents (
  id TEXT PRIMARY KEY NOT NULL,
  device_id TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  began INTEGER NOT NULL,
  last INTEGER NOT NULL,
  peak_score REAL NOT NULL,
  peak_at INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  severity TEXT NOT NULL,
  kind TEXT NOT NULL,
  signals TEXT NOT NULL,
  reason TEXT NOT NULL,
  model_version TEXT NOT NULL,
  closed_at INTEGER,
  state TEXT NOT NULL,
  snoozed_until INTEGER,
  assignee TEXT,
  resolved_at INTEGER,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE labels (
  incident_id TEXT PRIMARY KEY NOT NULL,
  label TEXT NOT NULL,
  who TEXT NOT NULL,
  at INTEGER NOT NULL,
  note TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE sensor_readings (
  timestamp INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  "temperature" REAL,
  "vibration" REAL,
  flag INTEGER,
  score REAL,
  received_at INTEGER NOT NULL,
  model_version TEXT,
  late INTEGER NOT NULL,
  clock_suspect INTEGER NOT NULL,
  "temperature_score" REAL,
  "temperature_flag" INTEGER,
  "temperature_expected_low" REAL,
  "temperature_expected_high" REAL,
  "vibration_score" REAL,
  "vibration_flag" INTEGER,
  "vibration_expected_low" REAL,
  "vibration_expected_high" REAL,
  building TEXT,
  floor TEXT,
  room TEXT,
  device_type TEXT,
  is_anomaly INTEGER,
  anomaly_type TEXT,
  reasons TEXT,
  PRIMARY KEY (timestamp, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX anomalies ON sensor_readings (timestamp, device_id) WHERE flag = 1;
CREATE INDEX incident_audit_by_incident ON incident_audit (incident_id, id);
CREATE INDEX incidents_by_device ON incidents (device_id, began);
CREATE INDEX incidents_by_time ON incidents (began, id);
CREATE INDEX incidents_unresolved ON incidents (began, id) WHERE state <> 'resolved';
CREATE TRIGGER incident_audit_is_not_changed BEFORE UPDATE ON incident_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER incident_audit_is_not_deleted BEFORE DELETE ON incident_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE VIEW readings AS SELECT strftime('%Y-%m-%dT%H:%M:%S', (timestamp - ((timestamp % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((timestamp % 1000000 + 1000000) % 1000000)) AS timestamp, "device_id", "temperature", "vibration", "flag", "score", strftime('%Y-%m-%dT%H:%M:%S', (received_at - ((received_at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((received_at % 1000000 + 1000000) % 1000000)) AS received_at, "model_version", "late", "clock_suspect", "temperature_score", "temperature_flag", "temperature_expected_low", "temperature_expected_high", "vibration_score", "vibration_flag", "vibration_expected_low", "vibration_expected_high", "building", "floor", "room", "device_type", "is_anomaly", "anomaly_type", "reasons" FROM sensor_readings;
