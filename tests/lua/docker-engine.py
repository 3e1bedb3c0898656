#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docker-engine.py SOCKET STATE: stands for Docker's engine, with as much of its API as sloth speaks.

Answers have the form of those that an engine of version 24 gave (API 1.43). What there is stands in the file STATE after each change, without what
is another thing each time. Ends with its standard input.
"""
import copy
import http.server
import json
import os
import re
import socketserver
import struct
import sys
import threading
import urllib.parse

socket_path, state_path = sys.argv[1:3]
IMAGES = {  # by name; "registry" is what a pull gives
    "web:1": {"Id": "sha256:" + "1" * 64, "Env": ["PATH=/bin"], "Cmd": ["web"], "Labels": {"maker": "t"}},
    "web:2": {"Id": "sha256:" + "2" * 64, "Env": ["PATH=/bin", "MODE=default"], "Cmd": ["web"], "Labels": None},
}
REGISTRY = {"job:latest": {"Id": "sha256:" + "3" * 64, "Env": None, "Cmd": ["job"], "Labels": {}}}
containers, networks, volumes = {}, {}, {}
lock = threading.Lock()
count = 0


def save():
    told = {}
    for one in containers.values():
        told[one["Name"]] = {"image": one["Image"], "config": one["Config"], "host": one["HostConfig"], "running": one["State"]["Running"]}
    with open(state_path + ".new", "w") as out:
        json.dump({"containers": told, "networks": sorted(networks), "volumes": sorted(volumes)}, out, sort_keys=True, indent=1)
    os.rename(state_path + ".new", state_path)


def image_of(name):
    for key, image in IMAGES.items():
        if name in (key, image["Id"]):
            return image
    return None


class Refused(Exception):
    pass


def container_of(name):
    for one in containers.values():
        if name in (one["Id"], one["Name"][1:]):
            return one
    raise Refused(404, "No such container: " + name)


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "-"

    def answer(self, status, body=None, kind="application/json"):
        # Who has the answer may look at the file.
        if self.command != "GET":
            save()
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.43")
        if body is not None:
            self.send_header("Content-Type", kind)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    # Each row: method, path, what answers with (words of the path).
    def ping(self):
        self.answer(200, b"OK", "text/plain")

    def version(self):
        self.answer(200, {"Version": "24.0.7", "ApiVersion": "1.43"})

    def create(self):
        global count
        name = self.query.get("name", "")
        if not IMAGES.get(self.body["Image"]):
            raise Refused(404, "No such image: " + self.body["Image"])
        if any(one["Name"] == "/" + name for one in containers.values()):
            raise Refused(409, 'Conflict. The container name "/%s" is already in use' % name)
        image = IMAGES[self.body["Image"]]
        count += 1
        config = {key: self.body.get(key) for key in ("Image", "Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "Hostname", "ExposedPorts")}
        named = {item.partition("=")[0] for item in config["Env"] or []}
        config["Env"] = (config["Env"] or []) + [item for item in image["Env"] or [] if item.partition("=")[0] not in named]
        config["Labels"] = {**(image["Labels"] or {}), **(config["Labels"] or {})}
        config["Cmd"] = config["Cmd"] or image["Cmd"]
        for key in ("User", "WorkingDir", "Hostname"):
            config[key] = config[key] or ""
        host = self.body.get("HostConfig") or {}
        host = {"PortBindings": host.get("PortBindings") or {}, "Binds": host.get("Binds"), "NetworkMode": host.get("NetworkMode") or "default",
                "Memory": host.get("Memory") or 0, "RestartPolicy": {"Name": (host.get("RestartPolicy") or {}).get("Name") or "no", "MaximumRetryCount": 0}}
        one = {"Id": "%064x" % count, "Name": "/" + name, "Image": image["Id"], "Config": config, "HostConfig": host,
               "State": {"Running": False, "Status": "created", "ExitCode": 0}}
        containers[one["Id"]] = one
        self.answer(201, {"Id": one["Id"], "Warnings": []})

    def each(self):
        self.answer(200, [{"Id": one["Id"], "Names": [one["Name"]], "Image": one["Config"]["Image"], "State": one["State"]["Status"], "Status": "Up",
                           "Labels": one["Config"]["Labels"]} for one in containers.values() if one["State"]["Running"] or self.query.get("all") == "true"])

    def inspect(self, name):
        self.answer(200, container_of(name))

    def start(self, name):
        one = container_of(name)
        if one["State"]["Running"]:
            return self.answer(304)
        mine = {b["HostPort"] for list in one["HostConfig"]["PortBindings"].values() for b in list}
        for other in containers.values():
            taken = {b["HostPort"] for list in other["HostConfig"]["PortBindings"].values() for b in list}
            if other["State"]["Running"] and mine & taken:
                raise Refused(500, "driver failed programming external connectivity: port is already allocated")
        if (one["Config"]["Cmd"] or [""])[0] == "no-such-program":
            raise Refused(400, 'exec: "no-such-program": executable file not found in $PATH')
        one["State"] = {"Running": one["Image"] != REGISTRY["job:latest"]["Id"], "Status": "running", "ExitCode": 3 if "fail" in one["Config"]["Cmd"] else 0}
        self.answer(204)

    def stop(self, name):
        one = container_of(name)
        if not one["State"]["Running"]:
            return self.answer(304)
        one["State"] = {"Running": False, "Status": "exited", "ExitCode": 0}
        self.answer(204)

    def restart(self, name):
        container_of(name)["State"]["Running"] = True
        self.answer(204)

    def rename(self, name):
        container_of(name)["Name"] = "/" + self.query["name"]
        self.answer(204)

    def update(self, name):
        container_of(name)["HostConfig"]["RestartPolicy"]["Name"] = self.body["RestartPolicy"]["Name"]
        self.answer(200, {"Warnings": None})

    def remove(self, name):
        one = container_of(name)
        if one["State"]["Running"] and self.query.get("force") != "true":
            raise Refused(409, "You cannot remove a running container")
        del containers[one["Id"]]
        self.answer(204)

    def wait(self, name):
        self.answer(200, {"StatusCode": container_of(name)["State"]["ExitCode"]})

    def logs(self, name):
        out, err = b"out of %s\n" % container_of(name)["Config"]["Image"].encode(), b"err\n"
        self.answer(200, struct.pack(">BxxxI", 1, len(out)) + out + struct.pack(">BxxxI", 2, len(err)) + err, "application/vnd.docker.raw-stream")

    def images(self):
        self.answer(200, [{"Id": image["Id"], "RepoTags": [name], "Size": 7, "Created": 1} for name, image in IMAGES.items()])

    def image(self, name):
        image = image_of(name)
        if not image:
            raise Refused(404, "No such image: " + name)
        self.answer(200, {"Id": image["Id"], "Config": {"Env": image["Env"], "Cmd": image["Cmd"], "Labels": image["Labels"]}})

    def pull(self):
        name = self.query["fromImage"] + ":" + self.query["tag"]
        lines = [{"status": "Pulling from " + self.query["fromImage"], "id": self.query["tag"]}]
        if name in REGISTRY:
            IMAGES[name] = REGISTRY[name]
        elif name not in IMAGES:
            lines.append({"errorDetail": {"message": "manifest unknown"}, "error": "manifest for %s not found: manifest unknown" % name})
        self.answer(200, "".join(json.dumps(line) + "\r\n" for line in lines).encode())

    def remove_image(self, name):
        if not IMAGES.pop(name, None):
            raise Refused(404, "No such image: " + name)
        self.answer(200, [{"Untagged": name}])

    def retag(self, name):
        """Of the test only: another image gets the name, as after a pull."""
        IMAGES[name] = dict(copy.deepcopy(IMAGES[name]), Id="sha256:" + "9" * 64)
        self.answer(204)

    def collection(self, noun):
        things = {"networks": networks, "volumes": volumes}[noun]
        self.answer(200, {"Volumes": list(volumes.values()), "Warnings": None} if noun == "volumes" else list(things.values()))

    def thing(self, noun, name):
        things = {"networks": networks, "volumes": volumes}[noun]
        if name == "create":
            things[self.body["Name"]] = {"Name": self.body["Name"], "Driver": self.body.get("Driver") or "local", "Labels": self.body.get("Labels")}
            return self.answer(201, things[self.body["Name"]])
        if name not in things:
            raise Refused(404, "no such " + noun[:-1])
        if self.command == "DELETE":
            del things[name]
            return self.answer(204)
        self.answer(200, things[name])

    ROWS = [("GET", "/_ping", ping), ("GET", "/version", version), ("POST", "/containers/create", create), ("GET", "/containers/json", each),
            ("GET", "/containers/([^/]+)/json", inspect), ("POST", "/containers/([^/]+)/start", start), ("POST", "/containers/([^/]+)/stop", stop),
            ("POST", "/containers/([^/]+)/restart", restart), ("POST", "/containers/([^/]+)/rename", rename),
            ("POST", "/containers/([^/]+)/update", update), ("DELETE", "/containers/([^/]+)", remove), ("POST", "/containers/([^/]+)/wait", wait),
            ("GET", "/containers/([^/]+)/logs", logs), ("GET", "/images/json", images), ("POST", "/images/create", pull), ("GET", "/images/(.+)/json", image),
            ("DELETE", "/images/(.+)", remove_image), ("POST", "/test/retag/(.+)", retag), ("GET", "/(networks|volumes)", collection),
            ("GET|DELETE|POST", "/(networks|volumes)/([^/]+)", thing)]

    def any(self):
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size)
        self.body = json.loads(data) if data else {}
        path, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        if path != "/_ping" and not path.startswith("/v1.43/") and not path.startswith("/test/"):
            return self.answer(400, {"message": "client version is unknown"})
        path = urllib.parse.unquote(re.sub("^/v1.43", "", path))
        for method, pattern, function in self.ROWS:
            found = re.fullmatch(pattern, path) if re.fullmatch(method, self.command) else None
            if found:
                with lock:
                    try:
                        function(self, *found.groups())
                    except Refused as refused:
                        self.answer(refused.args[0], {"message": refused.args[1]})
                return
        self.answer(404, {"message": "page not found"})

    do_GET = do_POST = do_DELETE = any


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


save()
server = Server(socket_path, Engine)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
