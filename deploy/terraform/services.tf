# The parts as Cloud Run runs them. Consumers take no requests: they are a worker pool. Listening on all addresses inside the
# sandbox is right here, since nobody is let through whom Google did not identify first; hence --insecure.

locals {
  run = var.image == null ? {} : { image = var.image }
  settings = merge(local.redis_settings, {
    PROJECT_ID                          = var.project_id
    TOPIC_NAME                          = var.topic_name
    SUBSCRIPTION_NAME                   = var.subscription_name
    HARK__BUS__KIND                     = "pubsub"
    HARK__WAREHOUSE__KIND               = "bigquery"
    HARK__WAREHOUSE__BIGQUERY__DATASET  = var.dataset_id
    HARK__WAREHOUSE__BIGQUERY__LOCATION = coalesce(var.dataset_location, var.region)
    HARK__REGISTRY__URL                 = google_storage_bucket.models.url
    HARK__DATA__DIR                     = "/data"
  })
}

resource "google_cloud_run_v2_service" "server" {
  for_each            = local.run
  name                = "hark-server"
  location            = var.region
  labels              = var.labels
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.parts["server"].email

    dynamic "vpc_access" {
      for_each = google_redis_instance.shared
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network = vpc_access.value.authorized_network
        }
      }
    }

    timeout = "3600s"

    scaling {
      min_instance_count = var.servers.min
      max_instance_count = var.servers.max
    }

    containers {
      image = each.value
      args  = ["serve", "--listen", "0.0.0.0:8000", "--insecure"]

      ports {
        container_port = 8000
      }

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits = { cpu = "1", memory = "1Gi" }
        # It watches the pointer of the models between requests.
        cpu_idle = false
      }

      startup_probe {
        period_seconds    = 2
        failure_threshold = 60
        http_get {
          path = "/readyz"
          port = 8000
        }
      }

      liveness_probe {
        http_get {
          path = "/livez"
          port = 8000
        }
      }
    }
  }
}

resource "google_cloud_run_v2_worker_pool" "consumer" {
  for_each            = local.run
  name                = "hark-consumer"
  location            = var.region
  labels              = var.labels
  deletion_protection = var.deletion_protection

  scaling {
    manual_instance_count = var.consumers
  }

  template {
    service_account = google_service_account.parts["consumer"].email

    dynamic "vpc_access" {
      for_each = google_redis_instance.shared
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network = vpc_access.value.authorized_network
        }
      }
    }

    containers {
      image = each.value
      args  = ["consume"]

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits = { cpu = "1", memory = "1Gi" }
      }
    }
  }
}

resource "google_cloud_run_v2_service" "dashboard" {
  for_each            = local.run
  name                = "hark-dashboard"
  location            = var.region
  labels              = var.labels
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.parts["dashboard"].email

    dynamic "vpc_access" {
      for_each = google_redis_instance.shared
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network = vpc_access.value.authorized_network
        }
      }
    }

    timeout = "3600s"

    scaling {
      min_instance_count = 0
      max_instance_count = 2
    }

    # The page speaks plain HTTP with its API: it has a detection server of its own beside it.
    containers {
      name       = "page"
      image      = each.value
      args       = ["dashboard", "--listen", "0.0.0.0:8501", "--api", "http://127.0.0.1:8000", "--insecure"]
      depends_on = ["api"]

      ports {
        container_port = 8501
      }

      env {
        name  = "HARK__DATA__DIR"
        value = "/data"
      }

      resources {
        limits = { cpu = "1", memory = "256Mi" }
      }
    }

    containers {
      name  = "api"
      image = each.value
      args  = ["serve", "--listen", "0.0.0.0:8000", "--insecure"]

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits   = { cpu = "1", memory = "1Gi" }
        cpu_idle = false
      }

      startup_probe {
        period_seconds    = 2
        failure_threshold = 60
        http_get {
          path = "/readyz"
          port = 8000
        }
      }
    }
  }
}

resource "google_cloud_run_v2_job" "trainer" {
  for_each            = local.run
  name                = "hark-trainer"
  location            = var.region
  labels              = var.labels
  deletion_protection = var.deletion_protection

  template {
    template {
      service_account = google_service_account.parts["trainer"].email
      timeout         = "7200s"
      max_retries     = 2

      containers {
        image = each.value
        args  = ["train"]

        dynamic "env" {
          for_each = local.settings
          content {
            name  = env.key
            value = env.value
          }
        }

        resources {
          limits = { cpu = "2", memory = "4Gi" }
        }
      }
    }
  }
}

# The schedule acts as the trainer, who may start this one job.
resource "google_cloud_run_v2_job_iam_member" "start_training" {
  for_each = local.run
  name     = google_cloud_run_v2_job.trainer[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.account["trainer"]
}

resource "google_cloud_scheduler_job" "training" {
  for_each  = local.run
  name      = "hark-training"
  region    = var.region
  schedule  = var.training_schedule
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.trainer[each.key].id}:run"
    oauth_token {
      service_account_email = google_service_account.parts["trainer"].email
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "api" {
  for_each = var.image == null ? toset([]) : toset(var.api_callers)
  name     = google_cloud_run_v2_service.server["image"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}

resource "google_cloud_run_v2_service_iam_member" "page" {
  for_each = var.image == null ? toset([]) : toset(var.page_viewers)
  name     = google_cloud_run_v2_service.dashboard["image"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}
