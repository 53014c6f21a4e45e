"""Builds and calls `crates/forest/examples/peer.rs`, our side of the comparisons."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build():
    """Builds the program and returns its path."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "forest", "--example", "peer"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "peer"


def call(*arguments):
    """Runs the program; its answer if it has one."""
    out = subprocess.run([str(it) for it in arguments], check=True, capture_output=True, text=True).stdout
    return json.loads(out) if out else None
