"""Executes the notebooks and writes them as web pages with their plots.

    execute.py FOLDER NOTEBOOK…      fails on an error in a cell, and on a notebook without a plot
"""
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for file in map(pathlib.Path, sys.argv[2:]):
    begun = time.monotonic()
    notebook = nbformat.read(file, as_version=4)
    if any(it.get("outputs") for it in notebook.cells):
        sys.exit(f"{file.name} is stored with outputs: clear them")
    NotebookClient(notebook, timeout=180, kernel_name="python3", extra_arguments=["--log-level=ERROR"],
                   resources={"metadata": {"path": str(file.parent)}}).execute()
    plots = sum("image/png" in it.get("data", {}) for cell in notebook.cells for it in cell.get("outputs", []))
    if plots == 0:
        sys.exit(f"{file.name} rendered no plot")
    page, _ = HTMLExporter().from_notebook_node(notebook)
    (folder / f"{file.stem}.html").write_text(page)
    nbformat.write(notebook, folder / file.name)
    print(f"ok  {file.name}: {plots} plots, {time.monotonic() - begun:.1f} s")
