# The same tables and views as `hark setup` makes; scripts/check-terraform compares the two.

locals {
  # [name, type, mode] of the columns, in order.
  reading_base = [
    ["timestamp", "TIMESTAMP", "REQUIRED"],
    ["device_id", "STRING", "REQUIRED"],
    ["building", "STRING", "NULLABLE"],
    ["floor", "STRING", "NULLABLE"],
    ["room", "STRING", "NULLABLE"],
    ["device_type", "STRING", "NULLABLE"],
    ["is_anomaly", "BOOLEAN", "NULLABLE"],
    ["anomaly_type", "STRING", "NULLABLE"],
    ["received_at", "TIMESTAMP", "REQUIRED"],
    ["model_version", "STRING", "NULLABLE"],
    ["score", "FLOAT", "NULLABLE"],
    ["flag", "BOOLEAN", "NULLABLE"],
    ["reasons", "STRING", "NULLABLE"],
    ["late", "BOOLEAN", "REQUIRED"],
    ["clock_suspect", "BOOLEAN", "REQUIRED"],
  ]
  reading_columns = concat(concat([local.reading_base], [
    for signal in var.signals : [
      [signal, "FLOAT", "NULLABLE"],
      ["${signal}_score", "FLOAT", "NULLABLE"],
      ["${signal}_flag", "BOOLEAN", "NULLABLE"],
      ["${signal}_expected_low", "FLOAT", "NULLABLE"],
      ["${signal}_expected_high", "FLOAT", "NULLABLE"],
    ]
  ])...)
  device_columns = concat([
    ["device_id", "STRING", "REQUIRED"],
    ["writer", "STRING", "REQUIRED"],
    ["seq", "INTEGER", "REQUIRED"],
    ["building", "STRING", "NULLABLE"],
    ["floor", "STRING", "NULLABLE"],
    ["room", "STRING", "NULLABLE"],
    ["device_type", "STRING", "NULLABLE"],
    ["first_received_at", "TIMESTAMP", "REQUIRED"],
    ["last_received_at", "TIMESTAMP", "REQUIRED"],
    ["readings", "INTEGER", "REQUIRED"],
    ["last_timestamp", "TIMESTAMP", "NULLABLE"],
    ["latest_at", "TIMESTAMP", "NULLABLE"],
    ["state", "BYTES", "NULLABLE"],
  ], [for it in local.reading_columns : ["last_reading_${it[0]}", it[1], "NULLABLE"]])
  letter_columns = [
    ["id", "INTEGER", "REQUIRED"],
    ["received_at", "TIMESTAMP", "REQUIRED"],
    ["source", "STRING", "REQUIRED"],
    ["code", "STRING", "REQUIRED"],
    ["field", "STRING", "NULLABLE"],
    ["detail", "STRING", "REQUIRED"],
    ["payload", "BYTES", "REQUIRED"],
  ]
  event_columns = [
    ["seq", "INTEGER", "REQUIRED"],
    ["incident_id", "STRING", "REQUIRED"],
    ["began", "TIMESTAMP", "REQUIRED"],
    ["at", "TIMESTAMP", "REQUIRED"],
    ["action", "STRING", "REQUIRED"],
    ["who", "STRING", "NULLABLE"],
    ["detail", "STRING", "NULLABLE"],
    ["note", "STRING", "NULLABLE"],
    ["device_id", "STRING", "REQUIRED"],
    ["opened_at", "TIMESTAMP", "NULLABLE"],
    ["last", "TIMESTAMP", "NULLABLE"],
    ["peak_score", "FLOAT", "NULLABLE"],
    ["peak_at", "TIMESTAMP", "NULLABLE"],
    ["readings", "INTEGER", "NULLABLE"],
    ["severity", "STRING", "NULLABLE"],
    ["kind", "STRING", "NULLABLE"],
    ["signals", "STRING", "NULLABLE"],
    ["reason", "STRING", "NULLABLE"],
    ["model_version", "STRING", "NULLABLE"],
    ["closed_at", "TIMESTAMP", "NULLABLE"],
  ]
  tables = {
    sensor_readings = { columns = local.reading_columns, by_day_of = "timestamp", clustered_by = "device_id", kept_days = var.readings_kept_days }
    # What lies too far from now for a partition of its own.
    sensor_readings_of_far_times = { columns = local.reading_columns, by_day_of = null, clustered_by = "device_id", kept_days = null }
    device_updates               = { columns = local.device_columns, by_day_of = null, clustered_by = "device_id", kept_days = null }
    dead_letters                 = { columns = local.letter_columns, by_day_of = "received_at", clustered_by = "code", kept_days = null }
    incident_events              = { columns = local.event_columns, by_day_of = "began", clustered_by = "incident_id", kept_days = null }
  }
  # Each reading once, the first one stored; each device as it was last heard; each incident as it was last told; the last
  # label of each.
  named = { for it in keys(local.tables) : it => "`${var.project_id}.${var.dataset_id}.${it}`" }
  views = { for it in [
    {
      name = "readings", by = "device_id, timestamp", order = "received_at", of = "TRUE",
      from = "(SELECT * FROM ${local.named.sensor_readings} WHERE TRUE UNION ALL SELECT * FROM ${local.named.sensor_readings_of_far_times} WHERE TRUE)"
    },
    { name = "devices", by = "device_id", order = "last_received_at DESC, seq DESC", of = "TRUE", from = local.named.device_updates },
    { name = "incidents", by = "incident_id", order = "`at` DESC, seq DESC", of = "action = 'told'", from = local.named.incident_events },
    { name = "labels", by = "incident_id", order = "`at` DESC, seq DESC", of = "action = 'labelled'", from = local.named.incident_events },
  ] : it.name => "SELECT * FROM ${it.from} WHERE ${it.of} QUALIFY ROW_NUMBER() OVER (PARTITION BY ${it.by} ORDER BY ${it.order}) = 1" }
}

resource "google_bigquery_dataset" "hark" {
  dataset_id                 = var.dataset_id
  location                   = coalesce(var.dataset_location, var.region)
  description                = "Readings, verdicts and devices of Hark"
  labels                     = var.labels
  delete_contents_on_destroy = false
}

resource "google_bigquery_table" "tables" {
  for_each            = local.tables
  dataset_id          = google_bigquery_dataset.hark.dataset_id
  table_id            = each.key
  labels              = var.labels
  deletion_protection = var.deletion_protection
  clustering          = [each.value.clustered_by]
  schema              = jsonencode([for it in each.value.columns : { name = it[0], type = it[1], mode = it[2] }])

  dynamic "time_partitioning" {
    for_each = each.value.by_day_of == null ? [] : [each.value]
    content {
      type          = "DAY"
      field         = time_partitioning.value.by_day_of
      expiration_ms = time_partitioning.value.kept_days == null ? null : time_partitioning.value.kept_days * 86400000
    }
  }

  # `hark setup` adds the columns of new signals; a column is never taken away.
  lifecycle {
    ignore_changes = [schema]
  }
}

resource "google_bigquery_table" "views" {
  for_each            = local.views
  dataset_id          = google_bigquery_dataset.hark.dataset_id
  table_id            = each.key
  labels              = var.labels
  deletion_protection = false
  depends_on          = [google_bigquery_table.tables]

  view {
    use_legacy_sql = false
    query          = each.value
  }
}
