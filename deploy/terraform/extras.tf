# What is made only when it is asked for.

resource "google_billing_budget" "month" {
  count           = var.budget == null ? 0 : 1
  billing_account = var.budget.billing_account
  display_name    = "Hark in ${var.project_id}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }
}

# What consumers and servers share beside topic and tables: it can be lost at any time, so one without a replica does.
resource "google_redis_instance" "shared" {
  count              = var.redis_memory_gb > 0 ? 1 : 0
  name               = "hark-shared"
  region             = var.region
  labels             = var.labels
  tier               = "BASIC"
  memory_size_gb     = var.redis_memory_gb
  redis_version      = "REDIS_7_2"
  authorized_network = var.network

  redis_configs = {
    maxmemory-policy = "volatile-lru"
  }
}

locals {
  redis_settings = { for it in google_redis_instance.shared : "REDIS_URL" => "redis://${it.host}:${it.port}" }
}
