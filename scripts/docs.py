#!/usr/bin/python3
"""Executes the code blocks of the documents, page by page, each page in an empty folder; and checks every link.

    docs.py HARK PAGE.md…      both
    docs.py links PAGE.md…     the links alone

A block of `sh` is run by bash and must succeed; one of `toml` must pass `hark config check`; one of `text` is no code. Any other
must say why it is not run. A comment before a block changes what is done:

    <!-- not executed: WHY -->     it is left out, and the reason is printed
    <!-- goes on: PATTERN -->      it keeps running; the page goes on when a line with PATTERN came
    <!-- ends: CODE -->            it must end with that code instead of 0

A page may say once that a test of the program runs its blocks of `bash`:

    <!-- blocks of bash are executed by FILE -->

Blocks of `rust` in the README of a crate are executed by `cargo test --doc` where the crate's documentation includes that page.

`cargo run --release --` is run as the hark that is given.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

BLOCK = re.compile(r"(?:<!-- (not executed|goes on|ends): ([^\n]+?) -->\n+)?^```(\w*)[^\n]*\n(.*?)^```$", re.S | re.M)
PATIENCE = 400


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links(page):
    """The faults of a page's links to files and headings. Addresses elsewhere are not asked."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"{page}: no {target}"
        elif heading and file.suffix == ".md" and heading not in map(slug, re.findall(r"^#+ (.+)$", file.read_text(), re.M)):
            yield f"{page}: no heading {target}"


class Page:
    def __init__(self, page, hark, folder):
        self.page, self.folder, self.running = page, pathlib.Path(folder), []
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "hark").symlink_to(hark)
        (self.folder / "work").mkdir()
        self.environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "NO_COLOR": "1"}

    def failed(self, code, output):
        sys.exit(f"FAILED  {self.page}:\n{code}\n--\n{output[-3000:]}")

    def start(self, code, pattern):
        log = self.folder / f"log-{len(self.running)}"
        with log.open("w") as out:
            self.running.append(subprocess.Popen(["bash", "-ec", code], cwd=self.folder / "work", env=self.environment, stdout=out,
                                                 stderr=out, stdin=subprocess.DEVNULL, start_new_session=True))
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, log.read_text(), re.M):
            if self.running[-1].poll() is not None or time.monotonic() > end:
                self.failed(code, log.read_text())
            time.sleep(0.2)

    def run(self, code, expected=0):
        ran = subprocess.run(["bash", "-eo", "pipefail", "-c", code], cwd=self.folder / "work", env=self.environment, timeout=PATIENCE,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ran.returncode != expected:
            self.failed(code, ran.stdout)

    def check(self, code):
        (self.folder / "checked.toml").write_text(code)
        self.run(f"hark --config {self.folder}/checked.toml config check")

    def is_crate_doc(self):
        crate = self.page.parent / "src/lib.rs"
        return crate.is_file() and f'include_str!("../{self.page.name}")' in crate.read_text()

    def blocks(self):
        counts, text = {"executed": 0, "left out": 0}, self.page.read_text()
        tested = re.search(r"<!-- blocks of bash are executed by (\S+) -->", text)
        for mark, what, language, code in BLOCK.findall(text):
            code = code.replace("cargo run --release --", "hark")
            if mark == "not executed":
                counts["left out"] += 1
                print(f"  left out: {what}")
            elif language == "sh":
                if mark == "goes on":
                    self.start(code, what)
                else:
                    self.run(code, int(what) if mark == "ends" else 0)
                counts["executed"] += 1
            elif language == "toml":
                self.check(code)
                counts["executed"] += 1
            elif language == "bash" and tested and pathlib.Path(tested[1]).is_file():
                counts["left out"] += 1
            elif language == "rust" and self.is_crate_doc():
                counts["left out"] += 1
            elif language != "text":
                sys.exit(f"FAILED  {self.page}: a block of `{language}` is neither run nor marked:\n{code}")
        return counts

    def stop(self):
        for it in reversed(self.running):
            os.killpg(it.pid, 15)
        for it in self.running:
            it.wait(timeout=20)


def main(hark, pages):
    faults = [fault for page in pages for fault in links(page)]
    if faults:
        sys.exit("\n".join(faults))
    if hark is None:
        print(f"{len(pages)} pages, all links lead somewhere")
        return
    total = 0
    for file in pages:
        with tempfile.TemporaryDirectory() as folder:
            page, begun = Page(file, hark, folder), time.monotonic()
            try:
                counts = page.blocks()
            finally:
                page.stop()
        total += counts["executed"]
        print(f"ok  {file}: {counts['executed']} blocks, {time.monotonic() - begun:.1f} s", flush=True)
    print(f"{len(pages)} pages, all links lead somewhere, {total} blocks executed")


main(None if sys.argv[1] == "links" else pathlib.Path(sys.argv[1]).resolve(), [pathlib.Path(it) for it in sys.argv[2:]])
