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

  api = {
    name     = "api"
    args     = ["serve", "--listen", "0.0.0.0:8000", "--insecure"]
    memory   = "1Gi"
    env      = local.settings
    port     = null
    api_port = 8000
    follows  = null
  }
  # The page speaks plain HTTP with its API: it has a detection server of its own beside it.
  page = {
    name     = "page"
    args     = ["dashboard", "--listen", "0.0.0.0:8501", "--api", "http://127.0.0.1:8000", "--insecure"]
    memory   = "256Mi"
    env      = { HARK__DATA__DIR = "/data" }
    port     = 8501
    api_port = null
    follows  = ["api"]
  }
  # What is asked over HTTP: how many instances of it, and what runs in each. The container with a port is the one asked.
  asked = {
    server    = { instances = var.servers, containers = [merge(local.api, { port = local.api.api_port })] }
    dashboard = { instances = { min = 0, max = 2 }, containers = [local.page, local.api] }
  }
  services = { for part, it in local.asked : part => it if var.image != null }
}

resource "google_cloud_run_v2_service" "parts" {
  for_each            = local.services
  name                = "hark-${each.key}"
  location            = var.region
  labels              = var.labels
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.parts[each.key].email
    timeout         = "3600s"

    dynamic "vpc_access" {
      for_each = google_redis_instance.shared
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network = vpc_access.value.authorized_network
        }
      }
    }

    scaling {
      min_instance_count = each.value.instances.min
      max_instance_count = each.value.instances.max
    }

    dynamic "containers" {
      for_each = each.value.containers
      content {
        name       = containers.value.name
        image      = var.image
        args       = containers.value.args
        depends_on = containers.value.follows

        dynamic "ports" {
          for_each = containers.value.port[*]
          content {
            container_port = ports.value
          }
        }

        dynamic "env" {
          for_each = containers.value.env
          content {
            name  = env.key
            value = env.value
          }
        }

        resources {
          limits = { cpu = "1", memory = containers.value.memory }
          # The API watches the pointer of the models between requests.
          cpu_idle = containers.value.api_port == null
        }

        dynamic "startup_probe" {
          for_each = containers.value.api_port[*]
          content {
            period_seconds    = 2
            failure_threshold = 60
            http_get {
              path = "/readyz"
              port = startup_probe.value
            }
          }
        }

        dynamic "liveness_probe" {
          for_each = containers.value.api_port[*]
          content {
            http_get {
              path = "/livez"
              port = liveness_probe.value
            }
          }
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
  name     = google_cloud_run_v2_service.parts["server"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}

resource "google_cloud_run_v2_service_iam_member" "page" {
  for_each = var.image == null ? toset([]) : toset(var.page_viewers)
  name     = google_cloud_run_v2_service.parts["dashboard"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}
