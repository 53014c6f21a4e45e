# The registry of models, which the trainer writes and all others read, and where images are kept.

resource "google_storage_bucket" "models" {
  name                        = "${var.project_id}-hark-models"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  # Old versions of a file are kept for three months; what is in force is never touched.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      with_state                 = "ARCHIVED"
    }
  }
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "hark"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of Hark"
  labels        = var.labels
}
