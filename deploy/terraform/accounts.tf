# Who may do what: each part has an account of its own with the rights it needs, on the very thing it needs them for.
# README.md has the table with the reasons. There is no administrator's role and no key: keys leak.

locals {
  parts = {
    publisher = "Devices and the simulator: publish readings"
    consumer  = "Consumers: pull, judge, store"
    trainer   = "Training: read the history, write models"
    server    = "Detection API: judge, read the history, take readings"
    dashboard = "Page: show, and take what people say of incidents"
  }
  account = { for it, _ in local.parts : it => "serviceAccount:${google_service_account.parts[it].email}" }

  # Roles that Google grants on a project alone. Both let somebody ask, not see: what is seen is granted on the dataset.
  asking = {
    for it in setproduct(["consumer", "trainer", "server", "dashboard"], ["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"]) :
    "${it[0]} ${it[1]}" => { part = it[0], role = it[1] }
  }
}

resource "google_service_account" "parts" {
  for_each     = local.parts
  account_id   = "hark-${each.key}"
  display_name = "Hark ${each.key}"
  description  = each.value
}

resource "google_pubsub_topic_iam_member" "publish" {
  for_each = toset(["publisher", "server", "dashboard"])
  topic    = google_pubsub_topic.readings.id
  role     = "roles/pubsub.publisher"
  member   = local.account[each.key]
}

resource "google_pubsub_subscription_iam_member" "pull" {
  for_each     = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])
  subscription = google_pubsub_subscription.readings.id
  role         = each.key
  member       = local.account["consumer"]
}

resource "google_bigquery_table_iam_member" "store" {
  for_each   = google_bigquery_table.tables
  dataset_id = each.value.dataset_id
  table_id   = each.value.table_id
  role       = "roles/bigquery.dataEditor"
  member     = local.account["consumer"]
}

# What people say of incidents.
resource "google_bigquery_table_iam_member" "say" {
  for_each   = toset(["server", "dashboard"])
  dataset_id = google_bigquery_table.tables["incident_events"].dataset_id
  table_id   = google_bigquery_table.tables["incident_events"].table_id
  role       = "roles/bigquery.dataEditor"
  member     = local.account[each.key]
}

resource "google_bigquery_dataset_iam_member" "read" {
  for_each   = toset(["consumer", "trainer", "server", "dashboard"])
  dataset_id = google_bigquery_dataset.hark.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = local.account[each.key]
}

resource "google_project_iam_member" "ask" {
  for_each = local.asking
  project  = var.project_id
  role     = each.value.role
  member   = local.account[each.value.part]
}

resource "google_storage_bucket_iam_member" "write_models" {
  bucket = google_storage_bucket.models.name
  role   = "roles/storage.objectUser"
  member = local.account["trainer"]
}

resource "google_storage_bucket_iam_member" "read_models" {
  for_each = toset(["consumer", "server", "dashboard"])
  bucket   = google_storage_bucket.models.name
  role     = "roles/storage.objectViewer"
  member   = local.account[each.key]
}

# Pub/Sub itself forwards to the dead letters, with an account that Google made in the project.
data "google_project" "this" {
  project_id = var.project_id
}

locals {
  pubsub_itself = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "forward_dead_letters" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_itself
}

resource "google_pubsub_subscription_iam_member" "forward_dead_letters" {
  subscription = google_pubsub_subscription.readings.id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_itself
}
