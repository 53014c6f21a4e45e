variable "project_id" {
  description = "GCP project ID"
  type        = string
}

variable "region" {
  description = "GCP region"
  type        = string
  default     = "us-central1"
}

variable "dataset_id" {
  description = "BigQuery dataset ID"
  type        = string
  default     = "iot_data"
}

variable "dataset_location" {
  description = "Where the dataset lies: US, EU or a region. Empty: the region."
  type        = string
  default     = ""
}

variable "topic_name" {
  description = "The topic to which devices publish"
  type        = string
  default     = "iot-temp-vibration-data"
}

variable "subscription_name" {
  description = "The subscription from which all consumers pull"
  type        = string
  default     = "iot-data-subscription"
}

variable "signals" {
  description = "The signals that hark.toml declares, in order"
  type        = list(string)
  default     = ["temperature", "vibration"]

  validation {
    condition     = length(var.signals) > 0 && alltrue([for it in var.signals : can(regex("^[a-z][a-z0-9_]*$", it))])
    error_message = "Name at least one signal, in lower case letters, digits and _."
  }
}

variable "exactly_once" {
  description = "Make a subscription that confirms every acknowledgement. Either way a reading is stored once."
  type        = bool
  default     = false
}

variable "readings_kept_days" {
  description = "Days after which partitions of readings are dropped; null keeps them"
  type        = number
  default     = null
}

variable "image" {
  description = "The image to run, with its registry and digest; null creates no services, only what they need"
  type        = string
  default     = null
}

variable "consumers" {
  description = "How many consumers run"
  type        = number
  default     = 2
}

variable "servers" {
  description = "The fewest and the most detection servers"
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 8 }
}

variable "training_schedule" {
  description = "When a new model is trained, as cron writes it, in UTC"
  type        = string
  default     = "30 2 * * *"
}

variable "api_callers" {
  description = "Who may call the detection API: members such as group:plant@example.com. Nobody else can."
  type        = list(string)
  default     = []
}

variable "page_viewers" {
  description = "Who may open the page"
  type        = list(string)
  default     = []
}

variable "budget" {
  description = "Tells the billing account's people when the month's cost passes half, nine tenths and all of this; null does not"
  type        = object({ billing_account = string, amount = number, currency = optional(string, "USD") })
  default     = null
}

variable "labels" {
  description = "Labels of everything that takes labels"
  type        = map(string)
  default     = { app = "hark" }
}

variable "deletion_protection" {
  description = "Refuse to delete tables, bucket and services by terraform destroy"
  type        = bool
  default     = true
}

variable "redis_memory_gb" {
  description = "GiB of a Memorystore for Redis that consumers and servers share states and live events through; 0 is none"
  type        = number
  default     = 0
}

variable "network" {
  description = "The VPC network of the Memorystore; consumers and servers reach it from there"
  type        = string
  default     = "default"
}
