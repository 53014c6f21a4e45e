#!/usr/bin/env python3
"""Writes the list of everything that is linked into Hark, as CycloneDX 1.5 JSON, from Cargo's own resolution.

    sbom.py FEATURES >sbom.json      FEATURES as cargo takes them, "" for none
"""
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"


def main(features):
    resolved = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET, "--features", features],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    packages = {it["id"]: it for it in resolved["packages"]}
    nodes = {it["id"]: it for it in resolved["resolve"]["nodes"]}
    hark = next(it for it in packages.values() if it["name"] == "hark" and it["source"] is None)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in lock}
    linked, waiting = {}, [hark["id"]]
    while waiting:
        here = waiting.pop()
        if here not in linked:
            normal = [it["pkg"] for it in nodes[here]["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])]
            linked[here] = normal
            waiting += normal

    def ref(key):
        return f"pkg:cargo/{packages[key]['name']}@{packages[key]['version']}"

    def component(key):
        it = packages[key]
        checksum = checksums.get((it["name"], it["version"]))
        licence = re.sub(r"\s*/\s*", " OR ", it["license"] or "")
        return {"type": "library", "bom-ref": ref(key), "name": it["name"], "version": it["version"], "purl": ref(key),
                **({"licenses": [{"expression": licence}]} if licence else {}),
                **({"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {})}

    others = sorted((it for it in linked if it != hark["id"]), key=ref)
    json.dump({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {**component(hark["id"]), "type": "application"}},
        "components": [component(it) for it in others],
        "dependencies": [{"ref": ref(it), "dependsOn": sorted(map(ref, linked[it]))} for it in [hark["id"], *others]],
    }, sys.stdout, indent=1)
    print(f"{len(others)} components", file=sys.stderr)


main(sys.argv[1] if len(sys.argv) > 1 else "")
