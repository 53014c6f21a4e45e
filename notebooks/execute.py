"""Executes the notebooks and writes them as web pages with their plots.

    execute.py FOLDER NOTEBOOK…

It fails on an error in a cell, on a cell that draws and shows no picture, and on a page that lacks one of the pictures.
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
    plots = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        if any(it["output_type"] == "error" for it in outputs):
            sys.exit(f"{file.name}: a cell failed:\n{cell.source}")
        shown = [it["data"]["image/png"].strip() for it in outputs if "image/png" in it.get("data", {})]
        if not shown and "plt.show(" in cell.source:
            sys.exit(f"{file.name}: a cell draws and shows nothing:\n{cell.source}")
        plots += shown
    page, _ = HTMLExporter().from_notebook_node(notebook)
    on_page = sum(f"data:image/png;base64,{it[:1000]}" in page for it in plots)
    if not plots or on_page != len(plots):
        sys.exit(f"{file.name}: {len(plots)} plots, {on_page} of them on the page")
    (folder / f"{file.stem}.html").write_text(page)
    nbformat.write(notebook, folder / file.name)
    print(f"ok  {file.name}: {len(plots)} plots, {time.monotonic() - begun:.1f} s")
