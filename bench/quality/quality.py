#!/usr/bin/env python3
"""How right verdicts are: Hark's kinds beside well-known detectors, on labelled streams.

    pip install -r bench/requirements.txt
    python bench/quality/quality.py --data ../shared/data [--sets skab wsn] [--json docs/quality.json] [--markdown docs/quality.md]

Every detector sees the same: the rows marked `train` without their labels, then all rows in order. AUC and average
precision are of the score over all test rows, F1, FAR and MAR (per cent) of the flag, `false/day` the flagged normal
readings for each device and day, `events` how many stretches of labelled readings have a flag in them. Half-Space Trees are slow: on the fleets they see the first three devices. On NAB the alerts are scored by its own scorer (`--scorer`).
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

SETS = ["fleet_easy", "fleet_hard", "skab", "nab", "wsn", "hvac_mzvav_sim", "hydraulic_chrono", "hydraulic_chrono_tv"]
KINDS = ["hybrid", "statistical", "isolation-forest"]
JOINT = {"fleet_easy", "fleet_hard", "hvac_mzvav_sim"}  # one model over all devices; elsewhere one for each series


def build(folder):
    """The program that does what `hark backtest` does, built once: what is measured does not change on the way."""
    command = ["cargo", "build", "-q", "--release", "-p", "detector", "--example", "judge", "--message-format=json"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    built = [it["executable"] for it in map(json.loads, lines) if it.get("executable")]
    return shutil.copy(built[-1], folder / "judge")


def hark(kind, table, folder):
    """Verdicts of Hark's detector crate."""
    out = folder / "verdicts.csv"
    command = [folder / "judge", kind]
    with subprocess.Popen(["zcat", str(table)], stdout=subprocess.PIPE) as zcat, out.open("w") as to:
        subprocess.run(command, stdin=zcat.stdout, stdout=to, stderr=subprocess.DEVNULL, check=True)
    verdicts = pd.read_csv(out, usecols=["score", "flag", "alert"])
    return verdicts.score.to_numpy(), verdicts.flag.to_numpy(), verdicts.alert.to_numpy()


def forest_raw(values, hours, train):
    """scikit-learn's forest on the values of all signals."""
    forest = IsolationForest(n_estimators=100, contamination=0.1, random_state=42).fit(values[train])
    score = -forest.decision_function(values)
    return score, score > 0


def forest_reference(values, hours, train):
    """A forest a signal on value, hour, day, moving average and z-score, fed in serving as the reference feeds it:
    the moving average is the value, the z-score is 0."""
    scores = []
    for column in values.T:
        series = pd.Series(column)
        average = series.rolling(5, min_periods=1).mean().to_numpy()
        z = (column - column[train].mean()) / (column[train].std() + 1e-9)
        learn = np.c_[column, hours, average, z][train]
        serve = np.c_[column, hours, column, np.zeros(len(column))]
        forest = IsolationForest(n_estimators=100, contamination=0.1, random_state=42).fit(learn)
        scores.append(-forest.decision_function(serve))
    score = np.max(scores, axis=0)
    return score, score > 0


def ewma_z(values, hours, train, weight=0.01):
    """The deviation from an exponentially weighted mean, in exponentially weighted deviations; flagged beyond the
    training's own 98 % quantile."""
    worst = np.zeros(len(values))
    for column in values.T:
        mean, variance = column[0], np.var(column[train][:100]) + 1e-12
        for at, value in enumerate(column):
            deviation = value - mean
            z = abs(deviation) / np.sqrt(variance)
            worst[at] = max(worst[at], z)
            if z > 3:
                deviation *= 3 / z
            mean += weight * deviation
            variance += weight * (deviation * deviation - variance)
            variance = max(variance, 1e-12)
    return worst, worst > np.quantile(worst[train], 0.98)


def half_space_trees(values, hours, train):
    """river's Half-Space Trees on each signal scaled to the training's range, flagged beyond the training's 98 % quantile."""
    from river.anomaly import HalfSpaceTrees

    low, high = values[train].min(axis=0), values[train].max(axis=0)
    scaled = np.clip((values - low) / (high - low + 1e-12), 0, 1)
    trees = HalfSpaceTrees(n_trees=25, height=10, window_size=250, seed=42)
    score = np.empty(len(values))
    for at, row in enumerate(scaled):
        point = dict(enumerate(row))
        score[at] = trees.score_one(point)
        trees.learn_one(point)
    return score, score > np.quantile(score[train], 0.98)


BASELINES = {
    "forest, raw values": forest_raw,
    "forest, as the reference served": forest_reference,
    "EWMA z-score": ewma_z,
    "Half-Space Trees": half_space_trees,
}


def part(rows, name, detector):
    """The rows that a detector is measured on."""
    if detector == "Half-Space Trees" and name.startswith("fleet"):
        return rows.series.isin(sorted(rows.series.unique())[:3]).to_numpy()
    return np.ones(len(rows), dtype=bool)


def baseline(detect, rows, name, kept):
    """Runs a baseline over the rows that are kept: for the whole fleet or series by series, as the set is trained."""
    signals = [it for it in rows.columns if it not in ("series", "timestamp", "split", "at")]
    hours = (rows["at"] // 3600 % 24).to_numpy()
    train = (rows.split == "train").to_numpy()
    score, flag = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    is_joint = name in JOINT and detect not in (ewma_z, half_space_trees)
    parts = [np.arange(len(rows))] if is_joint else rows.groupby("series", sort=False).indices.values()
    for these in parts:
        these = these[kept[these]]
        if len(these):
            values = rows[signals].to_numpy(float)[these]
            score[these], flag[these] = detect(values, hours[these], train[these])
    return score, flag.astype(int), flag.astype(int)


def measure(rows, truth, score, flag):
    test = (truth.split == "test").to_numpy()
    label, score, flag = truth.label.to_numpy()[test] > 0, score[test], flag[test] > 0
    tp, fp, fn = int((label & flag).sum()), int((~label & flag).sum()), int((label & ~flag).sum())
    tests = rows[test]
    step = tests.groupby("series")["at"].apply(lambda it: it.diff().median())
    normal = pd.Series(~label, index=tests.index).groupby(tests.series).sum()
    days = float((normal * step).sum()) / 86400
    both = 0 < label.sum() < len(label)
    return {
        "AUC": roc_auc_score(label, score) if both else None,
        "AP": average_precision_score(label, score) if both else None,
        "F1": 2 * tp / max(2 * tp + fp + fn, 1),
        "FAR": 100 * fp / max(int((~label).sum()), 1),
        "MAR": 100 * fn / max(int(label.sum()), 1),
        "false/day": fp / max(days, 1e-9),
        "events": events(tests.series.to_numpy(), label, flag),
    }


def events(series, label, flag):
    """How many stretches of labelled readings of a device have a flag in them, and how many there are."""
    is_new = np.r_[True, (series[1:] != series[:-1]) | (label[1:] != label[:-1])]
    found = pd.Series(flag[label]).groupby(np.cumsum(is_new)[label]).any()
    return [int(found.sum()), len(found)]


def nab(rows, score, alert, scorer, truth_path, folder):
    """The three profiles of NAB for the alerts as they were given."""
    path, out = folder / "nab.csv", folder / "nab.json"
    pd.DataFrame({"series": rows.series, "timestamp": rows.timestamp, "score": score, "flag": alert}).to_csv(path, index=False)
    command = [sys.executable, scorer, "--truth", truth_path, "--pred", path, "--nab", "--json", out]
    subprocess.run([str(it) for it in command], check=True, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())["nab_all"]["flags"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--scorer", type=pathlib.Path, help="score.py of the data; default: beside the data")
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--detectors", nargs="*", default=KINDS + list(BASELINES))
    parser.add_argument("--keep", type=pathlib.Path, help="results of an earlier run, for the detectors that are not run now")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    scorer = arguments.scorer or arguments.data.parent / "score" / "score.py"
    results = []
    kept_results = json.loads(arguments.keep.read_text()) if arguments.keep else []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        build(folder)
        for name in arguments.sets:
            table, truth_path = (arguments.data / part / f"{name}.csv.gz" for part in ("input", "truth"))
            rows, truth = pd.read_csv(table), pd.read_csv(truth_path)
            times = pd.to_datetime(rows.timestamp, format="ISO8601", utc=True)
            rows["at"] = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
            for detector in arguments.detectors:
                if detector in KINDS:
                    run = hark(detector, table, folder)
                else:
                    run = baseline(BASELINES[detector], rows, name, part(rows, name, detector))
                score, flag, alert = run
                kept = part(rows, name, detector)
                measured = measure(rows[kept], truth[kept], score[kept], flag[kept])
                result = {"set": name, "detector": detector, **measured}
                if name == "nab" and scorer.exists():
                    result["NAB"] = nab(rows, score, alert, scorer, truth_path, folder)
                results.append(result)
                tell(result)
            results += [it for it in kept_results if it["set"] == name and it["detector"] not in arguments.detectors]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(table_of(results))


def table_of(results):
    """The results as a table."""
    lines = [
        "# How right the verdicts are",
        "",
        "Written by `bench/quality/quality.py`, which says what is measured and how. These sets were looked at while the",
        "detectors were made: expect less elsewhere. `*`: on the first three devices.",
        "",
        "| set | detector | AUC | AP | F1 | FAR % | MAR % | false flags a device and day | events | NAB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for it in results:
        digits = {"AUC": 3, "AP": 3, "F1": 3, "FAR": 2, "MAR": 1, "false/day": 1}
        cells = [f"{it[key]:.{n}f}" if it[key] is not None else "" for key, n in digits.items()]
        scores = " / ".join(f"{score:.1f}" for score in it["NAB"].values()) if "NAB" in it else ""
        found = "{} of {}".format(*it["events"]) if "events" in it else ""
        lines.append(f"| {it['set']} | {starred(it)} | {' | '.join(cells)} | {found} | {scores} |")
    return "\n".join(lines + where_not(results)) + "\n"


def starred(result):
    """The detector's name, with a star where it was tried on a part."""
    is_part = result["detector"] == "Half-Space Trees" and result["set"].startswith("fleet")
    return result["detector"] + ("*" if is_part else "")


def where_not(results):
    """Where another detector is ahead of hybrid, in words."""
    lines = ["", "## Where hybrid is not ahead", "", "By at least 0.001, of all rows above; one that flags nearly everything has a high F1 where much is anomalous.", ""]
    for name in dict.fromkeys(it["set"] for it in results):
        of_set = {it["detector"]: it for it in results if it["set"] == name}
        ours = of_set.get("hybrid")
        ahead = []
        for key in ("AUC", "AP", "F1") if ours else ():
            better = [(it[key], starred(it)) for it in of_set.values() if it[key] is not None and it[key] >= ours[key] + 0.001]
            names = ", ".join(f"{detector} {value:.3f}" for value, detector in sorted(better, reverse=True))
            ahead += [f"{key} {ours[key]:.3f}: {names}"] if better else []
        lines.append(f"- {name}: {'; '.join(ahead) or 'ahead in all three'}")
    return lines


def tell(result):
    numbers = {key: it for key, it in result.items() if isinstance(it, float)}
    text = "  ".join(f"{key} {it:.3f}" for key, it in numbers.items())
    if "NAB" in result:
        text += "  NAB " + " / ".join(f"{it:.1f}" for it in result["NAB"].values())
    print(f"{result['set']:20} {result['detector']:32} {text}", flush=True)


if __name__ == "__main__":
    main()
