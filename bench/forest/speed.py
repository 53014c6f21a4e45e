"""Our forest beside scikit-learn and isotree on one million rows of five columns, a hundred trees of 256.

usage: speed.py [ROUNDS]
Runs all sides in turn, ROUNDS times (5), and prints the medians and their ratios, by the clock and in processor time; writes
target/forest-speed.json. Before that it checks that both sides compute the same: a forest of scikit-learn's, scored by both, agrees to 1e-6.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import ours
from isotree import IsolationForest as Isotree
from sklearn.ensemble import IsolationForest

sys.path.append(str(ours.ROOT / "crates" / "forest" / "tests" / "python"))
from native import forest_bytes  # noqa: E402

ROWS, COLUMNS = 1_000_000, 5


def took(task):
    """Seconds that a task takes, by the clock and of the processor over all threads, and its answer."""
    start, used = time.perf_counter(), time.process_time()
    answer = task()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - used}, answer


def medians_of(runs):
    """The median of each clock."""
    return {clock: statistics.median(it[clock] for it in runs) for clock in ("wall", "cpu")}


def median_row(task):
    """Median seconds of 30 calls."""
    return medians_of([took(task)[0] for _ in range(30)])


def time_scikit_learn(values):
    """Seconds of each task. With two workers it gains nothing, so its one-thread time stands for both."""
    fit, model = took(lambda: IsolationForest(random_state=0).fit(values))
    fit_share, shared = took(lambda: IsolationForest(random_state=0, contamination=0.1).fit(values))
    score, _ = took(lambda: model.score_samples(values))
    row = median_row(lambda: (shared.decision_function(values[:1]), shared.predict(values[:1])))
    return {"fit": fit, "fit_share": fit_share, "score_1": score, "score_2": score, "row": row}


def time_isotree(values):
    """Seconds of each task."""
    model = Isotree(ntrees=100, sample_size=256, ndim=1, nthreads=1, missing_action="fail", random_seed=1)
    fit, _ = took(lambda: model.fit(values))
    score_1, _ = took(lambda: model.predict(values))
    row = median_row(lambda: model.predict(values[:1]))
    model.set_params(nthreads=2)
    score_2, _ = took(lambda: model.predict(values))
    return {"fit": fit, "score_1": score_1, "score_2": score_2, "row": row}


def check(peer, values, folder):
    """Both sides must score the same forest alike."""
    probe = values[:20_000]
    model = IsolationForest(random_state=0).fit(values)
    (folder / "theirs").write_bytes(forest_bytes(model))
    probe.tofile(folder / "probe")
    ours.call(peer, "score", folder / "theirs", folder / "probe", folder / "scores")
    worst = np.abs(np.fromfile(folder / "scores", "<f8") + model.score_samples(probe)).max()
    print(f"the same forest scored by scikit-learn and by us: largest difference {worst:.1e}")
    if worst > 1e-6:
        sys.exit("the two sides do not compute the same")


def show(medians, clock, name):
    """Prints the medians by one clock, and how many times as long the others take."""
    print(f"\nseconds {name}\n")
    print("| task | ours | scikit-learn | isotree | against scikit-learn | against isotree |\n|---|---|---|---|---|---|")
    for task, mine in medians["ours"].items():
        theirs = [medians[side].get(task, {}).get(clock) for side in ("scikit-learn", "isotree")]
        cells = [f"{it:.3g} s" if it else "" for it in (mine[clock], *theirs)]
        cells += [f"{it / mine[clock]:.1f} x" if it else "" for it in theirs]
        print(f"| {task} | " + " | ".join(cells) + " |")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    peer = ours.build()
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32).astype("<f8")
    times = {"ours": [], "scikit-learn": [], "isotree": []}
    with tempfile.TemporaryDirectory() as folder:
        check(peer, values, Path(folder))
        values.tofile(Path(folder) / "rows")
        for _ in range(rounds):
            times["ours"].append(ours.call(peer, "time", Path(folder) / "rows", COLUMNS))
            times["scikit-learn"].append(time_scikit_learn(values))
            times["isotree"].append(time_isotree(values))
    medians = {side: {task: medians_of([it[task] for it in runs]) for task in runs[0]} for side, runs in times.items()}
    for clock, name in (("wall", "by the clock"), ("cpu", "of the processor, which other load on the machine disturbs less")):
        show(medians, clock, name)
    scaling = medians["ours"]["score_1"]["wall"] / medians["ours"]["score_2"]["wall"]
    print(f"\ntwo threads are {scaling:.2f} times as fast as one, by the clock")
    (ours.ROOT / "target").mkdir(exist_ok=True)
    (ours.ROOT / "target" / "forest-speed.json").write_text(json.dumps({"medians": medians, "rounds": times}, indent=1))


main()
