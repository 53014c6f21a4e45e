"""Compares the tables that Terraform would make with those that `hark setup` made.

    compare_tables.py TABLES.json BIGQUERY-ENDPOINT
"""
import json
import os
import pathlib
import sys
import urllib.request

wanted = json.loads(json.loads(pathlib.Path(sys.argv[1]).read_text()))
dataset = f"{sys.argv[2]}/bigquery/v2/projects/hark-test/datasets/iot_data/tables"


def made(name):
    return json.load(urllib.request.urlopen(f"{dataset}/{name}", timeout=10))


names = {it["tableReference"]["tableId"] for it in json.load(urllib.request.urlopen(dataset, timeout=10))["tables"]}
faults = []
if names != {*wanted["tables"], *wanted["views"]}:
    faults.append(f"hark setup made {sorted(names)}, Terraform makes {sorted([*wanted['tables'], *wanted['views']])}")
for name, table in wanted["tables"].items():
    if name not in names:
        continue
    there = made(name)
    columns = [[it["name"], it["type"], it.get("mode", "NULLABLE")] for it in there["schema"]["fields"]]
    if columns != table["columns"]:
        faults.append(f"{name}: {[it for it in columns if it not in table['columns']]} of the code, {[it for it in table['columns'] if it not in columns]} of Terraform, or another order")
    if (there.get("timePartitioning") or {}).get("field") != table["by_day_of"]:
        faults.append(f"{name}: parted by {there.get('timePartitioning')}")
    if (there.get("clustering") or {}).get("fields") != [table["clustered_by"]]:
        faults.append(f"{name}: clustered by {there.get('clustering')}")
untold = 0
for name, query in wanted["views"].items():
    there = made(name).get("view") if name in names else None
    untold += there is None
    if there and there["query"] != query:
        faults.append(f"{name}: the code asks\n  {there['query']}\nand Terraform\n  {query}")
if untold:
    with open(os.environ.get("HARK_NOT_TRIED", os.devnull), "a") as told:
        print(f"the text of {untold} views in BigQuery (the emulator does not tell it)", file=told)
print("\n".join(faults) or f"{len(wanted['tables'])} tables and {len(wanted['views'])} views are there, and the same as far as they are told")
sys.exit(bool(faults))
