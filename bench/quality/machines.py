#!/usr/bin/env python3
"""How right verdicts are on a dozen made-up machines of other kinds than the labelled sets.

    python bench/quality/machines.py [--seed 1] [--sets pump room] [--json docs/quality-machines.json] [--markdown docs/quality-machines.md]

Each machine has a few devices, days of normal readings to learn from and days with faults to find: spike, drop, level
shift, drift, variance, stuck, growth, and signals that no longer go together. Sizes are in units of the noise that is
given beside each. Beside the columns of `quality.py` stand the incidents a device and week that open on normal readings
(not within half a fault's length after it), and the faults of each kind that have a flag.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import pandas as pd
from quality import BASELINES, KINDS, baseline, build, measure

FAULTS = ["spike", "shift", "drift", "stuck", "drop", "variance", "growth"]
START = pd.Timestamp("2026-03-02")
WEEK = 604_800
DETECTORS = KINDS + ["forest, raw values", "EWMA z-score"]


def wander(rng, n, memory, size):
    """An autoregressive process of the first order with this standard deviation."""
    steps = rng.standard_normal(n) * size * np.sqrt(1 - memory * memory)
    values = np.zeros(n)
    values[0] = rng.standard_normal() * size
    for at in range(1, n):
        values[at] = memory * values[at - 1] + steps[at]
    return values


def smooth(values, weight):
    return pd.Series(values).ewm(alpha=weight, adjust=False).mean().to_numpy()


def day_wave(day, size, shift=0.0):
    return size * np.sin(2 * np.pi * (day - shift))


def cold_store(rng, n, day, nth):
    """Defrosts every six hours."""
    phase = (day * 1440 + nth * 37) % 360
    runs = ((day * 1440) // 15).astype(int) % 2
    warm = np.where(phase < 25, 6 * np.sin(phase / 25 * np.pi), 0)
    power = 2 + np.where(phase < 25, 3, 0) + 0.8 * runs + 0.08 * rng.standard_normal(n)
    return {"temperature": (-18 + warm + wander(rng, n, 0.8, 0.3) + 0.1 * rng.standard_normal(n), 0.4), "power": (power, 0.2)}


def pump(rng, n, day, nth):
    """On and off at irregular times."""
    usual, on, at = rng.integers(40, 70), np.zeros(n, dtype=bool), 0
    while at < n:
        runs, rests = (rng.uniform(0.6, 1.4, 2) * usual).astype(int)
        on[at : at + runs] = True
        at += runs + rests
    return {
        "current": (np.where(on, 12, 0.3) + 0.15 * rng.standard_normal(n), 0.2),
        "pressure": (smooth(np.where(on, 4.5, 1.0), 0.5) + 0.05 * rng.standard_normal(n), 0.08),
        "flow": (np.where(on, 30, 0) + 0.4 * rng.standard_normal(n), 0.5),
        "temperature": (25 + smooth(np.where(on, 20, 0), 0.03) + day_wave(day, 2) + 0.2 * rng.standard_normal(n), 0.4),
    }


def motor(rng, n, day, nth):
    """Loaded by shift, at rest at night and over the weekend."""
    hour, works = (day * 24) % 24, np.floor(day).astype(int) % 7 < 5
    load = smooth(np.where(works & (hour >= 6) & (hour < 22), np.where(hour < 14, 1.0, 0.7), 0.05), 0.1)
    heat = 22 + 25 * load + day_wave(day, 3) + wander(rng, n, 0.95, 0.5) + 0.2 * rng.standard_normal(n)
    return {"vibration": (0.4 + 1.8 * load + 0.08 * rng.standard_normal(n) * (0.5 + load), 0.12), "temperature": (heat, 0.7)}


def server_room(rng, n, day, nth):
    """Weather of four days."""
    weather = wander(rng, n, np.exp(-(day[1] - day[0]) / 4), 1.2)
    damp = 45 - 3 * weather + wander(rng, n, 0.97, 1.5) + 0.3 * rng.standard_normal(n)
    return {"temperature": (21 + weather + day_wave(day, 0.8) + 0.15 * rng.standard_normal(n), 0.4), "humidity": (damp, 1.2)}


def compressor(rng, n, day, nth):
    """Eight signals of two causes."""
    causes = np.stack([wander(rng, n, 0.9, 1), wander(rng, n, 0.97, 1) + day_wave(day, 0.5)])
    mixed = 50 + 5 * np.random.default_rng(7).normal(size=(8, 2)) @ causes
    return {f"s{at}": (it + 0.5 * rng.standard_normal(n), 2.0) for at, it in enumerate(mixed)}


def coarse(rng, n, day, nth):
    """Steps of half a degree."""
    return {"temperature": (20 + day_wave(day, 2, nth / 6) + wander(rng, n, 0.9, 0.5), 0.8)}


def counter(rng, n, day, nth):
    """Events by day, hardly any by night."""
    hour = (day * 24) % 24
    return {"count": (rng.poisson(np.where((hour > 7) & (hour < 20), 2.5, 0.15)).astype(float), 1.6)}


def irregular(rng, n, day, nth):
    """Reports at random times, a fifth of the values missing."""
    heat = 60 + day_wave(day, 3) + wander(rng, n, 0.9, 0.6) + 0.2 * rng.standard_normal(n)
    return {"temperature": (heat, 0.8), "vibration": (2 + wander(rng, n, 0.5, 0.15), 0.15), "current": (8 + wander(rng, n, 0.8, 0.3), 0.3)}


def tank(rng, n, day, nth):
    """Emptied slowly, filled at once."""
    level, out = 70.0, np.zeros(n)
    for at in range(n):
        out[at] = level
        level -= 0.08 * (1 + day_wave(day[at], 0.8)) - 0.05 * rng.standard_normal()
        level += rng.uniform(45, 60) if level < 25 else 0
    return {"level": (out + 0.1 * rng.standard_normal(n), 0.5)}


def heavy_tails(rng, n, day, nth):
    """Noise of Student's distribution with three degrees of freedom."""
    shakes = 3 + 0.2 * rng.standard_t(3, n) + wander(rng, n, 0.95, 0.2)
    return {"vibration": (shakes, 0.45), "temperature": (40 + 0.4 * rng.standard_t(3, n) + day_wave(day, 2), 0.8)}


def battery(rng, n, day, nth):
    """Charged by night."""
    hour = (day * 24 + nth) % 24
    charge = np.where(hour < 8, 12.6 + hour / 8 * 1.2, 13.8 - (hour - 8) / 16 * 1.2)
    heat = 18 + day_wave(day, 6, 0.3) + wander(rng, n, 0.98, 0.8) + 0.1 * rng.standard_normal(n)
    return {"voltage": (charge + wander(rng, n, 0.95, 0.04) + 0.02 * rng.standard_normal(n), 0.06), "temperature": (heat, 1.0)}


def press(rng, n, day, nth):
    """Noise that multiplies."""
    heat = 200 + wander(rng, n, 0.99, 1.5) + 0.3 * rng.standard_normal(n)
    return {"force": (100 * np.exp(0.05 * rng.standard_normal(n)), 5.0), "heat": (heat, 0.8), "oil": (np.exp(1 + 0.3 * rng.standard_normal(n)), 1.0)}


# The machine, minutes between readings, days to learn from and to judge, devices, hours between faults, kinds of faults.
MACHINES = {
    "cold_store": (cold_store, 1, 4, 5, 4, 10, FAULTS),
    "pump": (pump, 1, 3, 4, 3, 10, FAULTS),
    "motor": (motor, 5, 14, 7, 4, 16, FAULTS),
    "server_room": (server_room, 10, 7, 14, 4, 20, FAULTS),
    "compressor": (compressor, 1, 3, 4, 3, 10, FAULTS + ["apart"]),
    "coarse": (coarse, 5, 7, 7, 4, 14, [it for it in FAULTS if it != "stuck"]),
    "counter": (counter, 10, 7, 7, 4, 16, ["shift", "spike", "drift"]),
    "irregular": (irregular, 3, 5, 5, 4, 10, FAULTS),
    "tank": (tank, 5, 7, 7, 4, 16, ["spike", "drop", "shift"]),
    "heavy_tails": (heavy_tails, 2, 4, 5, 4, 10, FAULTS),
    "battery": (battery, 5, 7, 7, 4, 14, FAULTS),
    "press": (press, 1, 3, 4, 3, 10, FAULTS),
}


def fault(rng, kind, values, noise, here):
    """Puts one fault into the values, in place."""
    side, length = rng.choice([-1, 1]), here.stop - here.start
    grown = np.arange(length) / length
    match kind:
        case "spike":
            values[here] += side * rng.uniform(10, 15) * noise
        case "drop":
            values[here] -= rng.uniform(8, 12) * noise
        case "shift":
            values[here] += side * rng.uniform(6, 9) * noise
        case "drift":
            values[here] += side * rng.uniform(8, 12) * noise * grown
        case "variance":
            values[here] += 4 * noise * rng.standard_normal(length)
        case "stuck":
            values[here] = values[here.start]
        case "growth":
            values[here] += noise * (12**grown - 1)
        case "apart":
            values[here] = np.roll(values, len(values) // 3)[here]


def device(rng, machine, minutes, days, gap, kinds, nth):
    """The readings of one device: values, labels and kinds, `days` being those to learn from and those to judge."""
    per_hour, n = max(1, round(60 / minutes)), int(sum(days) * 1440 / minutes)
    seconds = np.arange(n) * minutes * 60.0
    if machine is irregular:
        seconds = np.cumsum(rng.exponential(minutes * 60, n)).round() + np.arange(n)
    signals = machine(rng, n, seconds / 86_400, nth)
    label, told = np.zeros(n, dtype=int), np.full(n, "", dtype=object)
    lasts = {"spike": 1, "drop": max(3, per_hour // 6), "shift": 2 * per_hour, "drift": 4 * per_hour, "variance": 2 * per_hour}
    lasts |= {"stuck": 2 * per_hour, "growth": 4 * per_hour, "apart": 3 * per_hour}
    at = int(np.searchsorted(seconds, days[0] * 86_400) + gap * per_hour * rng.uniform(0.5, 1))
    for nth_fault in range(n):
        if at >= n - 4 * per_hour:
            break
        kind = kinds[nth_fault % len(kinds)]
        values, noise = signals[list(signals)[rng.integers(len(signals))]]
        here = slice(at, at + lasts[kind])
        fault(rng, kind, values, noise, here)
        label[here], told[here] = 1, kind
        at = here.stop + int(gap * per_hour * rng.uniform(0.6, 1.4))
    table = pd.DataFrame({"series": f"d{nth}", "at": seconds, "split": np.where(seconds < days[0] * 86_400, "train", "test")})
    for name, (values, _) in signals.items():
        values = np.round(values * 2) / 2 if machine is coarse else values
        missing = (rng.random(n) < 0.2) & (machine is irregular) & (name != "temperature")
        table[name] = np.where(missing, np.nan, np.round(values, 4))
    return table.assign(label=label, kind=told)


def made(name, seed):
    machine, minutes, learn, judge, devices, gap, kinds = MACHINES[name]
    rng = np.random.default_rng([seed, list(MACHINES).index(name)])
    all_devices = [device(rng, machine, minutes, (learn, judge), gap, kinds, nth) for nth in range(devices)]
    table = pd.concat(all_devices, ignore_index=True)
    times = START + pd.to_timedelta(table["at"], unit="s")
    table.insert(1, "timestamp", times.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    truth = table[["split", "label", "kind"]]
    return table.drop(columns=["label", "kind"]), truth


def hark(kind, rows, judge, folder):
    table, out = folder / "table.csv", folder / "verdicts.csv"
    rows.drop(columns="at").to_csv(table, index=False)
    with table.open() as of, out.open("w") as to:
        subprocess.run([judge, kind], stdin=of, stdout=to, stderr=subprocess.DEVNULL, check=True)
    verdicts = pd.read_csv(out, usecols=["score", "flag", "incident"])
    return verdicts.score.to_numpy(), verdicts.flag.to_numpy(), verdicts.incident.to_numpy()


def per_week(rows, truth, opens):
    """Incidents a device and week that open on normal readings."""
    label, is_new = truth.label.to_numpy() > 0, np.r_[True, rows.series.to_numpy()[1:] != rows.series.to_numpy()[:-1]]
    is_after = label.copy()
    begins = np.flatnonzero(label & ~np.r_[False, label[:-1]])
    for at in begins:
        ends = at + int(np.argmin(np.r_[label[at:], False]))
        is_after[at : ends + max(3, (ends - at) // 2)] = True
    test = (truth.split == "test").to_numpy()
    watched = rows[test].groupby("series")["at"].agg(lambda it: it.max() - it.min()).sum() / WEEK
    return float((opens.astype(bool) & ~is_after & test & ~is_new).sum() / watched)


def found(truth, flag):
    """The faults of each kind that have a flag, as `n of m`."""
    label, kind = truth.label.to_numpy() > 0, truth.kind.to_numpy()
    begins = np.flatnonzero(label & ~np.r_[False, label[:-1]])
    hits = [(kind[at], bool(flag[at : at + int(np.argmin(np.r_[label[at:], False]))].any())) for at in begins]
    table = pd.DataFrame(hits, columns=["kind", "hit"]).groupby("kind").hit.agg(["sum", "size"])
    return ", ".join(f"{name} {row['sum']} of {row['size']}" for name, row in table.iterrows())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sets", nargs="*", default=list(MACHINES))
    parser.add_argument("--detectors", nargs="*", default=DETECTORS)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["# Made-up machines", "", f"Written by `bench/quality/machines.py --seed {arguments.seed}`, which says what is measured.", ""]
    lines += ["| machine | detector | AUC | AP | F1 | FAR % | events | false incidents a week | found |", "|---" * 9 + "|"]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        judge = build(folder)
        for name in arguments.sets:
            rows, truth = made(name, arguments.seed)
            for detector in arguments.detectors:
                if detector in KINDS:
                    score, flag, opens = hark(detector, rows, judge, folder)
                else:
                    whole = rows.ffill()
                    score, flag, _ = baseline(BASELINES[detector], whole, name, np.ones(len(rows), dtype=bool))
                    opens = flag & ~np.r_[0, flag[:-1]]
                it = {"set": name, "detector": detector, **measure(rows, truth, score, flag)}
                it |= {"false incidents": per_week(rows, truth, opens), "found": found(truth, flag)}
                results.append(it)
                events = f"{it['events'][0]} of {it['events'][1]}"
                numbers = f"{it['AUC']:.3f} | {it['AP']:.3f} | {it['F1']:.3f} | {it['FAR']:.2f} | {events} | {it['false incidents']:.1f}"
                lines.append(f"| {name} | {detector} | {numbers} | {it['found']} |")
                print(lines[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
