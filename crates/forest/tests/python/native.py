"""Writes a fitted scikit-learn IsolationForest as a native forest file, following the description in src/format.rs."""

import hashlib
import struct

import numpy as np


def float32_at_most(values):
    """The largest single-precision numbers not above the given ones: they decide as the originals do."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def tree_bytes(tree, columns):
    """One tree: nodes in breadth-first order, so that children are neighbours behind their parent."""
    thresholds = float32_at_most(tree.threshold)
    nodes, counts, queue = [], [], [0]
    for at in queue:
        counts.append(int(tree.n_node_samples[at]))
        if tree.children_left[at] < 0:
            nodes.append((float("inf"), 0, len(nodes)))
            continue
        nodes.append((thresholds[at], columns[tree.feature[at]], len(queue)))
        queue += [tree.children_left[at], tree.children_right[at]]
    out = struct.pack("<II", len(nodes), 0)
    out += b"".join(struct.pack("<fHH", *node) for node in nodes)
    return out + struct.pack(f"<{len(counts)}I", *counts)


def forest_bytes(model):
    """The whole file."""
    head = struct.pack("<HHII", 1, model.n_features_in_, model.max_samples_, len(model.estimators_))
    body = b"IFOREST\0" + head + struct.pack("<d", model.offset_)
    for estimator, columns in zip(model.estimators_, model.estimators_features_):
        body += tree_bytes(estimator.tree_, columns)
    return body + hashlib.sha256(body).digest()
