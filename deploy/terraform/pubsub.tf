# Devices publish to the topic; all consumers pull from one subscription. What cannot be handled five times goes to the
# dead letters, which have a subscription of their own, so that they are kept until somebody looks.

resource "google_pubsub_topic" "readings" {
  name                       = var.topic_name
  labels                     = var.labels
  message_retention_duration = "86400s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic" "dead_letters" {
  name   = "${var.topic_name}-dead-letters"
  labels = var.labels
}

resource "google_pubsub_subscription" "readings" {
  name                         = var.subscription_name
  topic                        = google_pubsub_topic.readings.id
  labels                       = var.labels
  ack_deadline_seconds         = 60
  message_retention_duration   = "604800s"
  enable_message_ordering      = true
  enable_exactly_once_delivery = var.exactly_once

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 5
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }

  # It stays, however long nobody pulls.
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.topic_name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  labels                     = var.labels
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}
