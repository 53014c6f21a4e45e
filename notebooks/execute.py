"""Executes the notebooks and writes them as web pages with their plots.

    execute.py FOLDER NOTEBOOK…            fails where what is stored has not the plots that executing gives
    execute.py --store FOLDER NOTEBOOK…    stores them anew, with their plots

It fails on an error in a cell, on a cell that draws and shows no picture, and on a page that lacks one of the pictures.
"""
import base64
import copy
import io
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

MOST_BYTES = 300_000


def pictures(cell):
    return [it["data"]["image/png"].strip() for it in cell.get("outputs", []) if "image/png" in it.get("data", {})]


def executed(file, notebook):
    """The notebook with what its cells said, run from nothing."""
    done = copy.deepcopy(notebook)
    for cell in done.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(done, timeout=180, kernel_name="python3", record_timing=False, extra_arguments=["--log-level=ERROR"],
                   resources={"metadata": {"path": str(file.parent)}}).execute()
    for cell in done.cells:
        if any(it["output_type"] == "error" for it in cell.get("outputs", [])):
            sys.exit(f"{file.name}: a cell failed:\n{cell.source}")
        if "plt.show(" in cell.source and not pictures(cell):
            sys.exit(f"{file.name}: a cell draws and shows nothing:\n{cell.source}")
    return done


def render(file, notebook, folder):
    """Writes the page and the notebook; how many plots they have."""
    page, _ = HTMLExporter().from_notebook_node(notebook)
    plots = [it for cell in notebook.cells for it in pictures(cell)]
    on_page = sum(f"data:image/png;base64,{it[:1000]}" in page for it in plots)
    if not plots or on_page != len(plots):
        sys.exit(f"{file.name}: {len(plots)} plots, {on_page} of them on the page")
    (folder / f"{file.stem}.html").write_text(page)
    nbformat.write(notebook, folder / file.name)
    return len(plots)


def smaller(picture):
    """The same picture with 48 colours, which plots look the same with."""
    few = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(48)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def store(file, notebook):
    for cell in notebook.cells:
        for it in cell.get("outputs", []):
            if "image/png" in it.get("data", {}):
                it["data"]["image/png"] = smaller(it["data"]["image/png"])
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    nbformat.write(notebook, file)
    if file.stat().st_size > MOST_BYTES:
        sys.exit(f"{file.name}: {file.stat().st_size} bytes are more than {MOST_BYTES}")


def main(words):
    stores = words[0] == "--store"
    folder, *files = map(pathlib.Path, words[stores:])
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        begun = time.monotonic()
        notebook = nbformat.read(file, as_version=4)
        done = executed(file, notebook)
        plots = render(file, done, folder)
        if stores:
            store(file, done)
        kept = [len(pictures(it)) for it in (done if stores else notebook).cells]
        if kept != [len(pictures(it)) for it in done.cells]:
            sys.exit(f"{file.name}: what is stored has not the plots that executing gives: run scripts/make-notebooks")
        print(f"ok  {file.name}: {plots} plots, {file.stat().st_size // 1000} kB, {time.monotonic() - begun:.1f} s")


main(sys.argv[1:])
