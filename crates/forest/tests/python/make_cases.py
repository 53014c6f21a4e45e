"""Fits scikit-learn on fixed tables and writes, for each case: the forest (native and ONNX), rows, and what scikit-learn says.

usage: make_cases.py FOLDER
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from native import forest_bytes
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest

warnings.filterwarnings("ignore")


def tables():
    """Name, training rows, rows to score."""
    random = np.random.default_rng(5)
    normal = random.normal(size=(1000, 4))
    probe = np.vstack([normal, random.normal(scale=4, size=(500, 4))])
    constant = normal.copy()
    constant[:, 2] = 3.0
    yield "normal", normal, probe
    yield "constant_column", constant, probe
    yield "all_constant", np.full((300, 2), 7.0), np.array([[7.0, 7.0], [8.0, 0.0]])
    yield "duplicates", random.integers(0, 4, size=(800, 3)).astype(float), random.integers(-1, 6, size=(400, 3)).astype(float)
    yield "one_row", normal[:1], probe[:50]
    yield "two_rows", normal[:2], probe[:50]
    yield "one_column", random.exponential(size=(700, 1)), random.exponential(scale=3, size=(400, 1))
    yield "many_columns", random.normal(size=(400, 60)), random.normal(scale=2, size=(200, 60))


def write(folder, name, model, probe):
    """Writes one case. Rows are rounded to single precision first, as both sides would."""
    probe = probe.astype(np.float32)
    (folder / f"{name}.forest").write_bytes(forest_bytes(model))
    probe.astype("<f8").tofile(folder / f"{name}.rows")
    answers = np.column_stack([model.score_samples(probe), model.decision_function(probe), model.predict(probe)])
    answers.astype("<f8").tofile(folder / f"{name}.answers")
    # The conversion takes seconds, so it is done once for each table.
    if not name.endswith("-42-256-0.1"):
        return
    options = {"target_opset": {"": 15, "ai.onnx.ml": 3}}
    (folder / f"{name}.onnx").write_bytes(to_onnx(model, probe[:1], **options).SerializeToString())


def main():
    folder = Path(sys.argv[1])
    name, train, probe = next(tables())
    drawn_again = IsolationForest(n_estimators=20, bootstrap=True, random_state=0).fit(train.astype(np.float32))
    write(folder, f"{name}-bootstrap-42-256-0.1", drawn_again, probe)
    for name, train, probe in tables():
        for seed in (0, 1, 42):
            for samples in (16, 256, 1000):
                for share in ("auto", 0.1):
                    options = {"max_samples": min(samples, len(train)), "contamination": share, "random_state": seed}
                    model = IsolationForest(n_estimators=20, **options).fit(train.astype(np.float32))
                    write(folder, f"{name}-{seed}-{samples}-{share}", model, probe)


main()
