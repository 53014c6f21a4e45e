#!/usr/bin/python3
"""Asks a Prometheus every expression of the dashboards, and makes the traffic that gives them something to show.

    ask.py traffic API                       posts readings and questions until it is stopped
    ask.py panels PROMETHEUS DASHBOARD.json… fails on an expression that returns nothing within two minutes
    ask.py rules PROMETHEUS                  fails on a rule that asks for metrics that no Hark tells
"""
import json
import math
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE = 120
# Told as NaN until a day, or as long as the training was, has been judged: that the series is there is all that can be asked of it.
UNKNOWN_AT_FIRST = {"hark_drift_psi"}
VARIABLES = {"$__rate_interval": "10s", "$__interval": "10s", "$__range": "1h", "$instance": ".+"}
READING = {"device_id": "checked", "temperature": 21.5, "vibration": 1.5}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).read()
    except urllib.error.HTTPError as refusal:  # a refusal is traffic, too
        refusal.read()


def traffic(api):
    while True:
        post(f"{api}/detect", READING)
        post(f"{api}/api/v1/readings", READING | {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        post(f"{api}/api/v1/readings", {"device_id": "checked", "temperature": "warm"})
        urllib.request.urlopen(f"{api}/api/v1/summary", timeout=10).read()
        time.sleep(0.2)


def expressions(dashboard):
    """Yields (title, expression, whether it must return something now)."""
    def panels(items):
        for it in items:
            yield it
            yield from panels(it.get("panels", []))

    for panel in panels(dashboard["panels"]):
        for it in panel.get("targets", []):
            yield panel["title"], it["expr"], True
    for it in dashboard["annotations"]["list"]:
        yield it["name"], it["target"]["expr"], False
    for it in dashboard["templating"]["list"]:
        if it["type"] == "query":
            yield it["name"], re.fullmatch(r"label_values\((.*), *\w+\)", it["query"]["query"])[1], True


def query(prometheus, expression):
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        answer = json.load(urllib.request.urlopen(url, timeout=10))
    except urllib.error.HTTPError as refusal:
        sys.exit(f"FAILED  {expression}\n  {json.load(refusal)['error']}")
    unknown = metrics(expression) & UNKNOWN_AT_FIRST
    return [it for it in answer["data"]["result"] if unknown or not math.isnan(float(it["value"][1]))]


def metrics(expression):
    """The names in an expression: for one that rightly returns nothing now, they must exist all the same."""
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:hark|process|container)_[a-z_]+|ALERTS", bare))


def panels(prometheus, files):
    waiting, rare = {}, set()
    for file in map(pathlib.Path, files):
        for title, expression, now in expressions(json.loads(file.read_text())):
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            if now:
                waiting[expression] = f"{file.stem}: {title}"
            else:
                query(prometheus, expression)
                rare |= {(it, f"{file.stem}: {title}") for it in metrics(expression)}
    waiting |= {name: title for name, title in rare}
    asked, end = len(waiting), time.monotonic() + PATIENCE
    while waiting and time.monotonic() < end:
        waiting = {it: title for it, title in waiting.items() if not query(prometheus, it)}
        time.sleep(1)
    for expression, title in waiting.items():
        print(f"EMPTY   {title}\n          {expression}")
    print(f"{asked - len(waiting)} of {asked} expressions return data")
    sys.exit(bool(waiting))


def rules(prometheus):
    groups = json.load(urllib.request.urlopen(f"{prometheus}/api/v1/rules", timeout=10))["data"]["groups"]
    every, blind = [it for group in groups for it in group["rules"]], 0
    for rule in every:
        if rule.get("lastError"):
            sys.exit(f"FAILED  {rule['name']}: {rule['lastError']}")
        missing = [it for it in sorted(metrics(rule["query"])) if it != "ALERTS" and not query(prometheus, "{__name__=~\"" + it + "(_bucket)?\"}")]
        blind += bool(missing)
        if missing:
            print(f"BLIND   {rule['name']}: this hark does not tell {', '.join(missing)}")
    print(f"{len(every) - blind} of {len(every)} rules ask for what is told")
    sys.exit(bool(blind))


if sys.argv[1] == "traffic":
    traffic(sys.argv[2])
elif sys.argv[1] == "rules":
    rules(sys.argv[2])
else:
    panels(sys.argv[2], sys.argv[3:])
