#!/usr/bin/python3
"""Runs the services of one profile of docker-compose.yml as plain processes on loopback, until each is healthy.

    plain.py CONFIG.json TOOLS.json FOLDER

CONFIG.json is what `docker compose config --format json` prints; TOOLS.json says where the programs are. Each service runs the
command line, the environment and the health check of the compose file. Only addresses and paths are replaced: each pair of
service and port gets a free port of 127.0.0.1, each volume, secret and mounted file a place in FOLDER.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120
STOP_PATIENCE = 15


class Skipped(Exception):
    """Why a service cannot be run here."""


class Place:
    """Where the services are on this machine."""

    def __init__(self, config, folder):
        self.config, self.folder, self.ports = config, folder, {}
        self.names = {}
        for name, service in config["services"].items():
            self.names[name] = name
            for network in (service.get("networks") or {}).values():
                for alias in (network or {}).get("aliases", []):
                    self.names[alias] = name

    def port(self, service, port):
        key = (service, int(port))
        if key not in self.ports:
            with socket.socket() as it:
                it.bind(("127.0.0.1", 0))
                self.ports[key] = it.getsockname()[1]
        return self.ports[key]

    def at(self, service, port):
        return f"127.0.0.1:{self.port(service, port)}"

    def rewritten(self, service, text, paths):
        """`text` of `service` with the addresses and paths of this machine."""
        names = "|".join(sorted(map(re.escape, self.names), key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])({names}):(\d+)", lambda m: self.at(self.names[m[1]], m[2]), text)
        done = {str(it) for it in self.ports.values()}

        def own(match):
            return match[0] if match[2] in done else f"{match[1]}127.0.0.1:{self.port(service, match[2])}"

        text = re.sub(r"((?<![\w.]))(?:0\.0\.0\.0|127\.0\.0\.1|localhost):(\d+)", own, text)
        text = re.sub(r"(\blisten )(\d+);", lambda m: f"{m[1]}{self.at(service, m[2])};", text)
        text = re.sub(r"(--port=)(\d+)", lambda m: f"{m[1]}{self.port(service, m[2])}", text)
        text = text.replace("--ip=0.0.0.0", "--ip=127.0.0.1")
        if paths:
            targets = "|".join(map(re.escape, sorted(paths, key=len, reverse=True)))
            text = re.sub(rf"(?<![\w/.])({targets})(?![\w-])", lambda m: str(paths[m[1]]), text)
        return text


def mounts(place, name, service):
    """Container path -> path here. Mounted files are copied with this machine's addresses in them."""
    here = place.folder / name
    here.mkdir(parents=True, exist_ok=True)
    paths = {}
    for it in service.get("tmpfs", []):
        paths[it.split(":")[0]] = here / "tmpfs" / it.split(":")[0].strip("/")
    for it in service.get("volumes", []):
        if it["type"] == "volume":
            paths[it["target"]] = place.folder / "volumes" / it["source"]
        else:
            source, target = pathlib.Path(it["source"]), here / "mounted" / it["target"].strip("/")
            if not source.resolve().is_relative_to(ROOT):
                raise Skipped(f"it looks at {source} of the machine, which is not copied")
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
            paths[it["target"]] = target
    if "/data" not in paths:
        paths["/data"] = here / "data"
    for it in service.get("secrets", []):
        paths[it["target"]] = pathlib.Path(place.config["secrets"][it["source"]]["file"])
    for path in paths.values():
        if not path.exists():
            path.mkdir(parents=True)
    for target, path in paths.items():  # a volume within another volume's folder
        for outer, folder in paths.items():
            if target.startswith(outer + "/") and folder.is_dir() and path.is_dir() and "mounted" not in path.parts:
                link = folder / target[len(outer) + 1:]
                if not link.exists():
                    link.symlink_to(path)
    for folder in (here / "mounted").rglob("*"):
        if folder.is_file() and folder.suffix in {".yml", ".conf", ".py"}:
            folder.write_text(place.rewritten(name, folder.read_text(), paths))
    return paths


def command(tools, image, words, paths, here):
    """The program of an image with the words of the compose file."""
    image = image.split(":")[0]
    if image == "hark":
        return [tools["hark"], *words]
    if image == "prom/prometheus":
        return [tools["prometheus"], *words]
    if image == "hark-jupyter":
        return [tools["jupyter"], "lab", "--allow-root", *words]
    if image == "redis":
        return words
    if image == "nginxinc/nginx-unprivileged":
        main = here / "nginx.conf"
        main.write_text(f"pid {here}/nginx.pid; events {{}} http {{ access_log off; error_log stderr; include {paths['/etc/nginx/conf.d/default.conf']}; }}")
        return ["nginx", "-p", str(here), "-c", str(main), "-e", "stderr", "-g", "daemon off; master_process off;"]
    if image == "google/cloud-sdk" and tools.get("pubsub_jar"):
        port = re.search(r"--host-port=\S+?:(\d+)", " ".join(words))[1]
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", tools["pubsub_jar"], "--host=127.0.0.1", f"--port={port}"]
    if image == "hark-bigquery-emulator" and tools.get("bigquery"):
        return [*tools["bigquery"], *words]
    raise Skipped(f"no program of the image {image} is to be had here")


class Service:
    def __init__(self, place, tools, name):
        self.place, self.tools, self.name = place, tools, name
        self.service = place.config["services"][name]
        self.paths = mounts(place, name, self.service)
        here = place.folder / name
        self.log = here / "log"
        words = [self.text(it) for it in self.service.get("command") or []]
        self.words = command(tools, self.service["image"], words, self.paths, here)
        self.fix_ports()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(here), **{
            key: self.text(str(value)) for key, value in (self.service.get("environment") or {}).items()}}
        self.process, self.answer = None, ""

    def text(self, text):
        return self.place.rewritten(self.name, text.replace("$$", "$"), self.paths)

    def fix_ports(self):
        """Ports that stand in a word of their own, behind their flag."""
        for index, word in enumerate(self.words[:-1]):
            if word in {"--rest-port", "--grpc-port", "--port"}:
                self.words[index + 1] = str(self.place.port(self.name, self.words[index + 1]))
            if word in {"--rest-host", "--grpc-host", "--bind"}:
                self.words[index + 1] = "127.0.0.1"

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.words, env=self.environment, cwd=self.place.folder / self.name,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def healthy(self):
        kind, *words = self.service["healthcheck"]["test"]
        words = [self.text(it) for it in words]
        if words[0] == "/hark":
            words[0] = self.tools["hark"]
        if words[0] == "python":
            words[0] = sys.executable
        words = ["sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        asked = subprocess.run(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.answer = asked.stdout[-500:]
        return asked.returncode == 0

    def run_to_end(self):
        """Waits for a service that has no health check and ends, as the restart rule says."""
        end = time.monotonic() + PATIENCE
        while True:
            code = self.process.wait(timeout=max(1, end - time.monotonic()))
            if code == 0:
                return
            if self.service.get("restart") != "on-failure" or time.monotonic() > end:
                self.give_up(f"ended with {code}")
            time.sleep(1)
            self.start()

    def wait(self):
        begun = time.monotonic()
        if self.service.get("restart") in {"no", "on-failure"}:
            self.run_to_end()
            return "ended well"
        if self.service.get("healthcheck", {"disable": True}).get("disable"):
            time.sleep(2)
            if self.process.poll() is not None:
                self.give_up(f"ended with {self.process.returncode}")
            return "runs"
        while not self.healthy():
            if self.process.poll() is not None:
                self.give_up(f"ended with {self.process.returncode}")
            if time.monotonic() - begun > PATIENCE:
                self.give_up(f"did not become healthy: {self.answer}")
            time.sleep(0.2)
        return f"healthy after {time.monotonic() - begun:.1f} s"

    def give_up(self, why):
        sys.exit(f"FAILED  {self.name} {why}\n  {' '.join(self.words)}\n" + self.log.read_text(errors="replace")[-3000:])

    def stop(self):
        if self.process.poll() is not None:
            return "had ended"
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.give_up(f"did not stop within {STOP_PATIENCE} s")
        if self.service["image"].startswith("hark:") and code != 0:
            self.give_up(f"stopped with {code}")
        return f"stopped after {time.monotonic() - begun:.1f} s"


def in_order(services):
    done = []
    while len(done) < len(services):
        for name, it in services.items():
            needs = [n for n in it.get("depends_on") or {} if n in services]
            if name not in done and all(n in done for n in needs):
                done.append(name)
    return done


def accepted(place, tools, name):
    """Fails unless this hark takes the configuration of a service."""
    service = Service(place, tools, name)
    asked = subprocess.run([tools["hark"], "config", "check"], env=service.environment, cwd=place.folder / name, capture_output=True, text=True)
    if asked.returncode != 0:
        faults = [it for it in asked.stderr.splitlines() if it.startswith("error")]
        sys.exit(f"FAILED  {name}: this hark refuses the configuration: {'; '.join(sorted(faults))}\n  is it built as the image is? cargo build --release --features full")


def scraped(place, running):
    """Waits until Prometheus reaches all of Hark's services that it is told of and that run here."""
    prometheus = next(it for it in running if it.name.startswith("prometheus"))
    url = f"http://{place.at(prometheus.name, 9090)}/api/v1/targets?state=active"
    # What was not tried here is no fault of Prometheus.
    names = {it.name for it in running}
    ours = {f"127.0.0.1:{port}" for (name, _), port in place.ports.items() if name in names}
    end = time.monotonic() + PATIENCE
    while True:
        told = [it for it in json.load(urllib.request.urlopen(url, timeout=10))["data"]["activeTargets"] if it["labels"]["job"] == "hark"]
        wanted = [it for it in told if it["labels"]["instance"] in ours]
        away = [it["labels"]["instance"] for it in wanted if it["health"] != "up"]
        if told and not away:
            return f"Prometheus reaches {len(wanted)} of {len(told)} services: {', '.join(sorted(it['labels']['service'] for it in wanted))}"
        if time.monotonic() > end:
            sys.exit(f"FAILED  Prometheus does not reach {', '.join(away) or 'any service of Hark'}")
        time.sleep(1)


def heartbeat(place, running):
    """Waits until a message that a server sent itself over the shared bus was committed by a consumer."""
    prometheus = next(it for it in running if it.name.startswith("prometheus"))
    asked = urllib.parse.urlencode({"query": 'max(hark_heartbeat_timestamp_seconds{service="consumer", stage="canary"}) > 0'})
    url = f"http://{place.at(prometheus.name, 9090)}/api/v1/query?{asked}"
    end = time.monotonic() + PATIENCE
    while not json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]:
        if time.monotonic() > end:
            sys.exit("FAILED  no heartbeat of a server came to a consumer")
        time.sleep(1)
    return "a heartbeat went from a server over the bus to a consumer's commit"


def main(config, tools, folder):
    place, running, skipped = Place(config, folder), [], 0
    try:
        for name in in_order(config["services"]):
            try:
                if config["services"][name]["image"].startswith("hark:"):
                    accepted(place, tools, name)
                service = Service(place, tools, name)
                lacking = [it for it in config["services"][name].get("depends_on") or {} if it in skipped_names]
                if lacking:
                    raise Skipped(f"it needs {', '.join(lacking)}")
            except Skipped as why:
                skipped_names.append(name)
                skipped += 1
                with open(os.environ.get("HARK_NOT_TRIED", os.devnull), "a") as told:
                    print(f"service {name} ({why})", file=told)
                continue
            service.start()
            running.append(service)
            print(f"ok         {name}: {service.wait()}", flush=True)
        if any(it.name.startswith("prometheus") for it in running):
            print(f"ok         {scraped(place, running)}", flush=True)
            names = {it.name for it in running}
            if {"server-1", "consumer-1"} <= names:
                print(f"ok         {heartbeat(place, running)}", flush=True)
        for service in reversed(running):
            print(f"ok         {service.name}: {service.stop()}", flush=True)
    finally:
        for service in running:
            if service.process.poll() is None:
                service.process.kill()
                service.process.wait()
    print(f"{len(running)} services ran, {skipped} were not tried")
    sys.exit(bool(skipped and os.environ.get("HARK_CHECK_ALL")))


skipped_names = []
main(json.loads(pathlib.Path(sys.argv[1]).read_text()), json.loads(pathlib.Path(sys.argv[2]).read_text()), pathlib.Path(sys.argv[3]))
