"""Runs an ONNX model of ours with onnxruntime and compares with the scores given.

usage: run_onnx.py MODEL ROWS COLUMNS SCORES
"""

import sys

import numpy as np
import onnx
import onnxruntime

model, rows, columns, scores = sys.argv[1:]
onnx.checker.check_model(onnx.load(model), full_check=True)
rows = np.fromfile(rows, "<f8").reshape(-1, int(columns)).astype(np.float32)
expected = np.fromfile(scores, "<f8").reshape(-1, 2)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
score, decision = session.run(["score", "decision"], {"X": rows})
print(len(rows), np.abs(score[:, 0] - expected[:, 0]).max(), np.abs(decision[:, 0] - expected[:, 1]).max())
