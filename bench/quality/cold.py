#!/usr/bin/env python3
"""Cold start: false alarms of devices that the training never saw, by the day since their first reading.

    python bench/quality/cold.py --data ../shared/data [--json docs/quality-cold.json] [--markdown docs/quality-cold.md]

The last ten devices of each fleet are left out of the training and judged from their first reading with the model of
the others; beside them stand the devices that were trained on, on their test days. The tables hold no device types, so
a new device is held against the fleet.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import pandas as pd
from quality import build

NEW = 10
DAY = 86_400


def measure(name, data, judge, folder):
    rows = pd.read_csv(data / "input" / f"{name}.csv.gz", dtype=str)
    label = pd.read_csv(data / "truth" / f"{name}.csv.gz").label.to_numpy() > 0
    is_new = rows.series.isin(sorted(rows.series.unique())[-NEW:]).to_numpy()
    rows.loc[is_new, "split"] = "test"
    table, out = folder / "table.csv", folder / "verdicts.csv"
    rows.to_csv(table, index=False)
    with table.open() as of, out.open("w") as to:
        subprocess.run([judge, "hybrid"], stdin=of, stdout=to, stderr=subprocess.DEVNULL, check=True)
    verdicts = pd.read_csv(out, usecols=["flag", "incident"])
    times = pd.to_datetime(rows.timestamp, format="ISO8601", utc=True)
    at = (times - times.min()).dt.total_seconds().to_numpy()
    calm = ~label & (at - pd.Series(np.where(label, at, np.nan)).groupby(rows.series).ffill().fillna(-1e9).to_numpy() > 600)
    for group, is_in in (("new", is_new), ("trained", ~is_new & (rows.split == "test").to_numpy())):
        for day in range(3):
            these = is_in & calm & (at // DAY == day)
            watched = (is_in & calm & (at // DAY == day)).sum() * 10 / DAY
            odd = is_in & label & (at // DAY == day)
            if watched > 0:
                yield {
                    "set": name,
                    "devices": group,
                    "day": day + 1,
                    "false flags a device and day": float(verdicts.flag[these].sum() / watched),
                    "false alarms a device and day": float(verdicts.incident[these].sum() / watched),
                    "share of anomalous readings found": float(verdicts.flag[odd].mean()) if odd.any() else None,
                }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        judge = build(folder)
        results = [it for name in ("fleet_easy", "fleet_hard") for it in measure(name, arguments.data, judge, folder)]
    lines = ["# Cold start", "", "Written by `bench/quality/cold.py`, which says what is measured.", ""]
    lines += ["| " + " | ".join(results[0]) + " |", "|---" * len(results[0]) + "|"]
    of = lambda it: "" if it is None else f"{it:.3f}" if isinstance(it, float) else str(it)
    lines += ["| " + " | ".join(of(it) for it in result.values()) + " |" for result in results]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(text)


if __name__ == "__main__":
    main()
