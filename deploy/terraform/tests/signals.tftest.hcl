# Other signals from the start: a file of its own, since a table's columns are not changed afterwards by Terraform.
mock_provider "google" {}

variables {
  project_id = "plant"
}

run "a_signal_brings_its_columns" {
  variables {
    signals = ["pressure"]
  }
  assert {
    condition     = join(" ", [for it in jsondecode(google_bigquery_table.tables["sensor_readings"].schema) : it.name if startswith(it.name, "pressure")]) == "pressure pressure_score pressure_flag pressure_expected_low pressure_expected_high"
    error_message = "the columns of a signal are missing"
  }
}
