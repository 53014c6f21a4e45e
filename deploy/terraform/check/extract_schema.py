"""Writes the schema of the Google provider's chosen types as JSON, taken from the PyPI package cdktn-provider-google.

    extract_schema.py OUT TYPE…      a data source is written data.google_project

The package describes every argument of the provider that it was made from; Terraform itself is not asked.
"""
import importlib.util
import json
import pathlib
import re
import sys
import tarfile

PLAIN = {"string": "string", "number": "number", "boolean": "bool"}


def load():
    folder = pathlib.Path(importlib.util.find_spec("cdktn_provider_google").origin).parent
    (archive,) = (folder / "_jsii").glob("*.tgz")
    with tarfile.open(archive) as it:
        types = json.load(it.extractfile("package/.jsii"))["types"]
        version = json.load(it.extractfile("package/package.json"))["cdktf"]["provider"]["version"]
    return types, version


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", lambda m: "_" + m[1].lower(), name)


def argument(described):
    """The name in Terraform, which the remarks link to."""
    link = re.search(r"#([a-z0-9_]+)[ }]", described.get("docs", {}).get("remarks") or "")
    return link[1] if link else snake(described["name"])


class Schema:
    def __init__(self, types):
        self.types = types

    def kind(self, described):
        """A Terraform type, or ("block", its class, the most of it; 0 for any number)."""
        if "primitive" in described:
            return PLAIN.get(described["primitive"], "dynamic")
        if "collection" in described:
            collection = described["collection"]
            element = self.kind(collection["elementtype"])
            if isinstance(element, tuple):
                return ("block", element[1], 0) if collection["kind"] == "array" else "dynamic"
            return ["map" if collection["kind"] == "map" else "list", element]
        if "union" in described:
            return self.kind(next(it for it in described["union"]["types"] if it.get("fqn") != "cdktn.IResolvable"))
        if described["fqn"] == "cdktn.StringMap":
            return ["map", "string"]
        return "dynamic" if described["fqn"].startswith("cdktn.") else ("block", described["fqn"], 1)

    def block(self, name, above=()):
        attributes, blocks = {}, {}
        for it in [] if name in above else self.types[name].get("properties", []):
            kind, optional = self.kind(it["type"]), it.get("optional", False)
            if isinstance(kind, tuple):
                timeouts = argument(it) == "timeouts"
                blocks[argument(it)] = {
                    "nesting": "single" if timeouts else "list", "min": 0 if optional else 1,
                    "max": 0 if timeouts else kind[2], "block": self.block(kind[1], (*above, name))}
            else:
                attributes[argument(it)] = {"type": kind, "optional": optional, "required": not optional, "computed": optional}
        return {"attributes": attributes, "blocks": blocks}

    def whole(self, name):
        """A resource: its arguments, and what only the provider knows."""
        block = self.block(name + "Config")
        for it in self.types[name]["properties"]:
            attribute = snake(it["name"])
            known = attribute in block["attributes"] or attribute in block["blocks"]
            if not (it.get("static") or it["name"].endswith("Input") or known):
                kind = self.kind(it["type"])
                block["attributes"][attribute] = {
                    "type": "dynamic" if isinstance(kind, tuple) else kind, "computed": True, "optional": False, "required": False}
        return block


def main(out, wanted):
    types, version = load()
    schema = Schema(types)
    found = {"version": version, "resources": {}, "data": {}, "provider": schema.block("@cdktn/provider-google.provider.GoogleProviderConfig")}
    for name, it in types.items():
        if it["kind"] != "class" or name + "Config" not in types:
            continue
        docs = it.get("docs", {})
        page = re.search(r"docs/(resources|data-sources)/\w+ (google_\w+)", (docs.get("summary") or "") + (docs.get("remarks") or ""))
        if page and page[1] == "resources" and page[2] in wanted:
            found["resources"][page[2]] = schema.whole(name)
        elif page and page[1] == "data-sources" and "data." + page[2] in wanted:
            found["data"][page[2]] = schema.whole(name)
    missing = wanted - set(found["resources"]) - {f"data.{it}" for it in found["data"]}
    if missing:
        sys.exit(f"no such types in google {version}: {', '.join(sorted(missing))}")
    pathlib.Path(out).write_text(json.dumps(found, indent=1, sort_keys=True))
    print(f"google {version}: {len(found['resources'])} resources, {len(found['data'])} data sources")


main(sys.argv[1], set(sys.argv[2:]))
