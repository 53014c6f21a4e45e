"""ROC-AUC of our forest, axis-parallel and extended, beside scikit-learn's, mean of twenty seeds (five on large tables).

usage: auc.py [FOLDER]     FOLDER holds NAME.csv.gz with a last column `label`; default HARK_DATA/tabular or ../shared/data/tabular
Prints a table and writes target/forest-auc.json. Fails when our mean lies more than 0.01 below scikit-learn's on any table where
the seeds can tell such a difference: the allowance is max(0.01, 3 * sd * sqrt(2/seeds)), sd being that of scikit-learn's seeds.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import ours
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

def seeds(values):
    """Five seeds are too few to tell a hundredth apart where seeds differ by more; large tables take long and differ less."""
    return range(20 if len(values) < 20_000 else 5)


def our_aucs(peer, values, labels, extension, folder):
    """AUC for each seed."""
    rows, out = folder / "rows", folder / "scores"
    values.astype("<f8").tofile(rows)
    aucs = []
    for seed in seeds(values):
        ours.call(peer, "fit", rows, values.shape[1], seed, extension, out)
        aucs.append(roc_auc_score(labels, np.fromfile(out, "<f8")))
    return aucs


def their_aucs(values, labels):
    """AUC for each seed."""
    scores = (-IsolationForest(random_state=seed).fit(values).score_samples(values) for seed in seeds(values))
    return [roc_auc_score(labels, it) for it in scores]


def main():
    data = os.environ.get("HARK_DATA", ours.ROOT.parent / "shared" / "data")
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(data) / "tabular"
    paths = sorted(data.glob("*.csv.gz"), key=lambda it: it.stat().st_size)
    if not paths:
        sys.exit(f"SKIPPED: there is no table in {data}")
    peer, table = ours.build(), []
    print("| table | rows | columns | scikit-learn | sd | ours | allowance | difference | extension 1 | full extension |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            cells = np.loadtxt(path, delimiter=",", skiprows=1)
            values, labels = cells[:, :-1].astype(np.float32).astype(float), cells[:, -1]
            theirs = their_aucs(values, labels)
            mine = [our_aucs(peer, values, labels, it, Path(folder)) for it in (0, 1, values.shape[1] - 1)]
            means = [float(np.mean(it)) for it in mine]
            row = {
                "table": path.name.removesuffix(".csv.gz"),
                "rows": len(values),
                "columns": values.shape[1],
                "scikit_learn": float(np.mean(theirs)),
                "sd": float(np.std(theirs, ddof=1)),
                "ours": means[0],
                "allowance": max(0.01, 3 * float(np.std(theirs, ddof=1)) * (2 / len(theirs)) ** 0.5),
                "difference": means[0] - float(np.mean(theirs)),
                "extension_1": means[1],
                "full_extension": means[2],
            }
            table.append(row)
            print("| " + " | ".join(f"{it:.4f}" if isinstance(it, float) else str(it) for it in row.values()) + " |", flush=True)
    mean = np.mean([row["difference"] for row in table])
    print(f"mean difference {mean:+.4f}")
    (ours.ROOT / "target").mkdir(exist_ok=True)
    (ours.ROOT / "target" / "forest-auc.json").write_text(json.dumps(table, indent=1))
    worse = [row["table"] for row in table if row["difference"] < -row["allowance"]]
    if worse:
        sys.exit("below scikit-learn on " + ", ".join(worse))


main()
