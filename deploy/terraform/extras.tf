# What is made only when it is asked for.

resource "google_redis_instance" "cache" {
  count                   = var.memorystore == null ? 0 : 1
  name                    = "hark"
  region                  = var.region
  tier                    = "BASIC"
  memory_size_gb          = var.memorystore.memory_gib
  authorized_network      = var.memorystore.network
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  redis_version           = "REDIS_7_2"
  labels                  = var.labels
  redis_configs           = { maxmemory-policy = "allkeys-lru" }
  transit_encryption_mode = "DISABLED"
}

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
