output "topic" {
  description = "Where devices publish"
  value       = google_pubsub_topic.readings.id
}

output "subscription" {
  description = "From where consumers pull"
  value       = google_pubsub_subscription.readings.id
}

output "dead_letter_subscription" {
  description = "Where what could not be handled waits for a person"
  value       = google_pubsub_subscription.dead_letters.id
}

output "dataset" {
  description = "Where readings are kept"
  value       = "${var.project_id}.${google_bigquery_dataset.hark.dataset_id}"
}

output "model_bucket" {
  description = "Where models are kept"
  value       = google_storage_bucket.models.url
}

output "image_repository" {
  description = "Where to push the image"
  value       = google_artifact_registry_repository.images.registry_uri
}

output "service_accounts" {
  description = "The account of each part"
  value       = { for it, account in google_service_account.parts : it => account.email }
}

output "api_url" {
  description = "The detection API"
  value       = one([for part, it in google_cloud_run_v2_service.parts : it.uri if part == "server"])
}

output "page_url" {
  description = "The page"
  value       = one([for part, it in google_cloud_run_v2_service.parts : it.uri if part == "dashboard"])
}

output "settings" {
  description = "What to set for a Hark that runs elsewhere"
  value       = local.settings
}
