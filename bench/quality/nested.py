#!/usr/bin/env python3
"""What selection is worth: for each set the half-lives are chosen on the other sets, and reported on it.

    python bench/quality/nested.py --data ../shared/data [--json docs/quality-nested.json] [--markdown docs/quality-nested.md]

The candidates are named below. The one with the best mean of average precision over the other sets is chosen; `chosen`
is what it reaches on the set that had no say, the honest figure. Beside it stand the shipped settings, and the best of
all candidates in hindsight, which nobody could have chosen.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import pandas as pd
from quality import build, measure

SETS = ["fleet_hard", "skab", "nab", "wsn", "hvac_mzvav_sim", "hydraulic_chrono", "hydraulic_chrono_tv"]
SHIPPED = "as shipped"
CANDIDATES = {
    SHIPPED: [],
    "quicker level": ["level=200"],
    "slower level": ["level=500"],
    "longer smoothing": ["smooth=15"],
    "shorter hold": ["hold=300"],
}


def run(judge, data, name, settings, folder):
    rows = pd.read_csv(data / "input" / f"{name}.csv.gz", usecols=["series", "timestamp", "split"])
    truth = pd.read_csv(data / "truth" / f"{name}.csv.gz")
    times = pd.to_datetime(rows.timestamp, format="ISO8601", utc=True)
    rows["at"] = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    out = folder / "verdicts.csv"
    table = data / "input" / f"{name}.csv.gz"
    with subprocess.Popen(["zcat", str(table)], stdout=subprocess.PIPE) as zcat, out.open("w") as to:
        command = [judge, "hybrid", "1", *settings]
        subprocess.run(command, stdin=zcat.stdout, stdout=to, stderr=subprocess.DEVNULL, check=True)
    verdicts = pd.read_csv(out, usecols=["score", "flag"])
    return measure(rows, truth, verdicts.score.to_numpy(), verdicts.flag.to_numpy())


def choose(measured, left_out):
    """The candidate that is best on the other sets."""
    others = [it for it in SETS if it != left_out]
    return max(CANDIDATES, key=lambda it: sum(measured[name][it]["AP"] for name in others))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        judge = build(folder)
        measured = {
            name: {it: run(judge, arguments.data, name, settings, folder) for it, settings in CANDIDATES.items()}
            for name in SETS
        }
    lines = [
        "# What selection is worth",
        "",
        "Written by `bench/quality/nested.py`: half-lives chosen on the other sets (average precision), reported on the one left out.",
        "",
        "| set left out | chosen on the others | AP, AUC, F1 of the chosen | as shipped | best in hindsight |",
        "|---|---|---|---|---|",
    ]
    three = lambda it: " / ".join(f"{it[key]:.3f}" for key in ("AP", "AUC", "F1"))
    for name in SETS:
        chosen, best = choose(measured, name), max(CANDIDATES, key=lambda it: measured[name][it]["AP"])
        cells = [name, chosen, three(measured[name][chosen]), three(measured[name][SHIPPED])]
        lines.append(f"| {' | '.join(cells)} | {three(measured[name][best])} ({best}) |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(text)


if __name__ == "__main__":
    main()
