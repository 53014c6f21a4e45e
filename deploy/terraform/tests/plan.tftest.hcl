# What the module makes, with a provider that pretends. Nothing here asks Google.
mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789" }
  }
  mock_resource "google_service_account" {
    defaults = { email = "somebody@plant.iam.gserviceaccount.com" }
  }
}

variables {
  project_id = "plant"
}

run "the_reference_names_are_the_defaults" {
  assert {
    condition     = google_pubsub_topic.readings.name == "iot-temp-vibration-data" && google_pubsub_subscription.readings.name == "iot-data-subscription"
    error_message = "topic or subscription have other names than the reference"
  }
  assert {
    condition     = google_bigquery_dataset.hark.dataset_id == "iot_data" && google_bigquery_dataset.hark.location == "us-central1"
    error_message = "the dataset has another name or place than the reference"
  }
}

run "dead_letters_are_kept" {
  assert {
    condition     = google_pubsub_subscription.readings.dead_letter_policy[0].max_delivery_attempts == 5 && google_pubsub_subscription.dead_letters.topic == google_pubsub_topic.dead_letters.id
    error_message = "the dead letters have no subscription, or come too early"
  }
  assert {
    condition     = alltrue([for it in [google_pubsub_subscription.readings, google_pubsub_subscription.dead_letters] : it.expiration_policy[0].ttl == ""])
    error_message = "a subscription expires"
  }
  assert {
    condition     = google_pubsub_topic_iam_member.forward_dead_letters.member == "serviceAccount:service-123456789@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub itself may not forward"
  }
}

run "tables_are_pruned_by_day" {
  assert {
    condition     = google_bigquery_table.tables["sensor_readings"].time_partitioning[0].field == "timestamp" && google_bigquery_table.tables["sensor_readings"].clustering == tolist(["device_id"])
    error_message = "readings are not parted by day and clustered by device"
  }
  assert {
    condition     = length(jsondecode(google_bigquery_table.tables["sensor_readings"].schema)) == 15 + 5 * 2
    error_message = "the readings have other columns"
  }
}

run "no_part_is_an_administrator" {
  assert {
    condition = alltrue([for role in concat(
      [for it in google_project_iam_member.ask : it.role],
      [for it in google_bigquery_dataset_iam_member.read : it.role],
      [for it in google_bigquery_table_iam_member.store : it.role],
      [for it in google_bigquery_table_iam_member.say : it.role],
      [for it in google_pubsub_topic_iam_member.publish : it.role],
      [for it in google_pubsub_subscription_iam_member.pull : it.role],
      [for it in google_storage_bucket_iam_member.read_models : it.role],
      [google_storage_bucket_iam_member.write_models.role],
    ) : !can(regex("(?i)admin|owner|roles/editor", role))])
    error_message = "an administrator's role is granted"
  }
  assert {
    condition     = toset([for it in google_project_iam_member.ask : it.role]) == toset(["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"])
    error_message = "a role on the whole project that lets somebody see or change"
  }
}

run "without_an_image_nothing_runs" {
  assert {
    condition     = length(google_cloud_run_v2_service.parts) + length(google_cloud_run_v2_worker_pool.consumer) + length(google_cloud_run_v2_job.trainer) + length(google_cloud_scheduler_job.training) == 0
    error_message = "services run without an image"
  }
  assert {
    condition     = length(google_billing_budget.month) == 0
    error_message = "something was made that nobody asked for"
  }
}

run "with_an_image_all_parts_run_as_themselves" {
  variables {
    image = "registry.example/hark:0.1.0"
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.consumer["image"].scaling[0].manual_instance_count == 2 && google_cloud_run_v2_service.parts["server"].template[0].scaling[0].max_instance_count == 8
    error_message = "another number of instances"
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.api) + length(google_cloud_run_v2_service_iam_member.page) == 0
    error_message = "strangers may call"
  }
  assert {
    condition = alltrue([
      for it in google_cloud_run_v2_service.parts["server"].template[0].containers[0].env :
      it.value == google_storage_bucket.models.url if it.name == "HARK__REGISTRY__URL"
    ])
    error_message = "the servers look for models elsewhere"
  }
  assert {
    condition = [
      for it in google_cloud_run_v2_service.parts["dashboard"].template[0].containers :
      [it.name, length(it.ports), length(it.startup_probe)]
    ] == [["page", 1, 0], ["api", 0, 1]]
    error_message = "the page is asked, and the API beside it is watched"
  }
  assert {
    condition     = length(google_redis_instance.shared) == 0
    error_message = "something was made that nobody asked for"
  }
}

run "a_redis_by_choice" {
  variables {
    image           = "registry.example/hark:0.1.0"
    redis_memory_gb = 1
  }
  assert {
    condition = length([
      for it in google_cloud_run_v2_worker_pool.consumer["image"].template[0].containers[0].env :
      it if it.name == "REDIS_URL" && startswith(it.value, "redis://")
    ]) == 1
    error_message = "the consumers do not know the Redis"
  }
  assert {
    condition     = google_cloud_run_v2_service.parts["server"].template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    error_message = "the servers do not reach the Redis"
  }
}

run "a_budget_by_choice" {
  variables {
    image  = "registry.example/hark:0.1.0"
    budget = { billing_account = "000000-000000-000000", amount = 100 }
  }
  assert {
    condition     = google_billing_budget.month[0].amount[0].specified_amount[0].units == "100"
    error_message = "the budget is not as asked"
  }
}

run "a_wrong_signal_is_refused" {
  command = plan
  variables {
    signals = ["Temp erature"]
  }
  expect_failures = [var.signals]
}
