#!/usr/bin/env python3
"""Whether false alarms keep to the budget: incidents that open on normal data, for each device and week.

    python bench/quality/budget.py --data ../shared/data [--budgets 0.1 1 10 100] [--json docs/budget.json] [--markdown docs/quality-budget.md]

A false alarm is an incident that opens while no labelled anomaly lies in it or in the ten minutes before it. Its rate is
over the time that is normal in this sense. Beside it stand the bounds of the true rate that the count allows (Poisson,
95 %). `held` is yes where the rate lies within a factor of two of the budget, no where even the bounds do not reach that
far, `too short` where the normal time holds too few false alarms to tell. `why` says where a budget cannot be
resolved: a smaller one than a single false alarm in all the time that the training saw is kept by continuing the tail
alone, and a larger one than incidents can begin, since one closes only after a while, is kept as that largest one,
which its rate is then held against (ADR 21 derives it).
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
import pandas as pd
from scipy.stats import chi2

BUDGETS = [0.1, 1.0, 10.0, 100.0]
WEEK = 7 * 86400
AFTERMATH = 600  # seconds
FLEETS = {  # devices, days, seconds between readings, seed; the first third trains
    "normal fleet, every 10 s": (10, 9, 10, 2),
    "normal fleet, every minute": (20, 24, 60, 1),
    "normal fleet, every 10 minutes": (60, 45, 600, 3),
}


def build(name, folder):
    """An example program, built once: what is measured does not change on the way."""
    command = ["cargo", "build", "-q", "--release", "-p", "detector", "--example", name, "--message-format=json"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    built = [it["executable"] for it in map(json.loads, lines) if it.get("executable")]
    shutil.copy(built[-1], folder / name)


def tables(data, folder, wanted):
    """Name, table, labels or none, of the sets that are wanted."""
    is_wanted = lambda name: not wanted or any(it in name for it in wanted)
    for name in filter(is_wanted, ("fleet_easy", "fleet_hard")):
        rows = pd.read_csv(data / "input" / f"{name}.csv.gz", dtype=str)
        path = folder / f"{name}.csv"
        rows.to_csv(path, index=False)
        yield name, path, pd.read_csv(data / "truth" / f"{name}.csv.gz").label.to_numpy() > 0
    rows = pd.read_csv(data / "anomaly-free" / "anomaly-free.csv", sep=";")
    for trained in (400, 1200, 3000):
        name = f"SKAB anomaly-free, {trained} rows of training"
        if not is_wanted(name):
            continue
        table = rows.drop(columns="datetime").set_axis([f"s{it}" for it in range(rows.shape[1] - 1)], axis=1)
        table.insert(0, "split", np.where(np.arange(len(rows)) < trained, "train", "test"))
        table.insert(0, "timestamp", rows.datetime.str.replace(" ", "T"))
        table.insert(0, "series", "pump")
        path = folder / f"pump{trained}.csv"
        table.to_csv(path, index=False)
        yield name, path, None
    for name in filter(is_wanted, FLEETS):
        path = folder / "fleet.csv"
        with path.open("w") as to:
            subprocess.run([folder / "fleet", *map(str, FLEETS[name])], stdout=to, check=True)
        yield name, path, None


def measure(table, labels, verdicts):
    """False alarms, all incidents, weeks of normal time on the test rows, and the share of it that is flagged."""
    rows = pd.read_csv(table, usecols=["series", "timestamp", "split"])
    times = pd.to_datetime(rows.timestamp, format="ISO8601", utc=True)
    rows["at"] = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    rows["label"] = labels if labels is not None else False
    rows = rows.join(pd.read_csv(verdicts, usecols=["flag", "incident"]))
    false, opened, weeks, flagged, normal = 0, 0, 0.0, 0, 0
    for _, device in rows.groupby("series", sort=False):
        at, test = device["at"].to_numpy(), (device.split == "test").to_numpy()
        odd = np.where(device.label, at, -np.inf)
        is_normal = test & (at - np.maximum.accumulate(odd) > AFTERMATH)
        flagged, normal = flagged + (device.flag.to_numpy()[is_normal] > 0).sum(), normal + is_normal.sum()
        weeks += is_normal.sum() * np.median(np.diff(at)) / WEEK
        for it in np.flatnonzero(device.incident.to_numpy() & test):
            opened += 1
            false += bool(is_normal[it])
    return false, opened, weeks, 100 * flagged / max(normal, 1)


def judge(false, weeks, budget):
    low = chi2.ppf(0.025, 2 * false) / 2 / weeks if false else 0.0
    high = chi2.ppf(0.975, 2 * false + 2) / 2 / weeks
    if budget / 2 <= false / weeks <= budget * 2:
        held = "yes"
    elif high < budget / 2 or low > budget * 2:
        held = "no"
    else:
        held = "too short"
    return {"rate": false / weeks, "low": low, "high": high, "held": held}


def why(budget, least, most):
    """Why a budget cannot be resolved; nothing where it can."""
    if budget < least:
        return f"one alarm in all the time of the training is {least:.2g} a week"
    return f"incidents run into one another from {most:.0f} a week on: held against that" if budget > most else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--budgets", nargs="*", type=float, default=BUDGETS)
    parser.add_argument("--kind", default="hybrid")
    parser.add_argument("--sets", nargs="*", help="parts of the names of the sets; all without")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        build("judge", folder)
        build("fleet", folder)
        for name, table, labels in tables(arguments.data, folder, arguments.sets):
            for budget in arguments.budgets:
                verdicts = folder / "verdicts.csv"
                with table.open() as rows, verdicts.open("w") as to:
                    command = [folder / "judge", arguments.kind, str(budget)]
                    run = subprocess.run(command, stdin=rows, stdout=to, stderr=subprocess.PIPE, check=True, text=True)
                false, opened, weeks, flagged = measure(table, labels, verdicts)
                result = {"set": name, "budget": budget, "weeks": weeks, "incidents": opened, "false alarms": false, "flagged %": flagged}
                least, most = [float(it) for it in run.stderr.split(",")]
                results.append(result | judge(false, weeks, min(budget, most)) | {"why": why(budget, least, most)})
                tell(results[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(table_of(results))


def table_of(results):
    """The results as a table."""
    lines = [
        "# How well the budget is kept",
        "",
        "Written by `bench/quality/budget.py`, which says what is measured and how: incidents that open on normal readings, a device",
        "and week, with the range that so many of them leave likely (95 %). Kept is a budget where the rate lies within a factor of 2",
        "of it; `too short` is said where the range reaches into that, so that more readings would have to tell.",
        "",
        "| set | budget | rate | likely | device-weeks | kept | |",
        "|---|---|---|---|---|---|---|",
    ]
    for it in results:
        likely = f"{it['low']:.2f} to {it['high']:.2f}"
        lines.append(
            f"| {it['set']} | {it['budget']:g} | {it['rate']:.2f} | {likely} | {it['weeks']:.2f} | {it['held']} | {it['why']} |"
        )
    return "\n".join(lines) + "\n"


def tell(it):
    rate = f"{it['rate']:8.2f} [{it['low']:.2f}, {it['high']:.2f}]"
    counts = f"{it['flagged %']:6.3f} % flagged  {it['false alarms']:5} of {it['incidents']:5} incidents in {it['weeks']:7.2f} device-weeks"
    print(f"{it['set']:36} budget {it['budget']:6} a week: {rate:30} {counts}  held: {it['held']}  {it['why']}", flush=True)


if __name__ == "__main__":
    main()
