"""A stand-in for the Hugging Face Hub on this machine: what its library asks of it for models, in memory."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Files = dict[str, bytes]


class Repositories:
    """Revisions of every repository, the newest last; each has a name of 40 digits."""

    def __init__(self) -> None:
        self.revisions: dict[str, list[tuple[str, Files]]] = {}

    def add(self, name: str, files: Files) -> str:
        """Add a revision and return its name."""
        earlier = self.revisions.setdefault(name, [])
        oid = hashlib.sha1(f"{name} {len(earlier)}".encode()).hexdigest()
        earlier.append((oid, files))
        return oid

    def find(self, name: str, revision: str) -> tuple[str, Files] | None:
        """Return a revision; ``main`` is the newest."""
        revisions = self.revisions[name]
        if revision == "main":
            return revisions[-1]
        return next((one for one in revisions if one[0] == revision), None)


@contextmanager
def hub() -> Iterator[tuple[str, Repositories]]:
    """Serve repositories; yields the address and the repositories."""
    repositories = Repositories()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def answer(self, code, values=None, headers=None, body=None):
            content = json.dumps(values).encode() if body is None else body
            self.send_response(code)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def refuse(self, kind):
            self.answer(404, {"error": kind}, {"X-Error-Code": kind})

        def do_GET(self):
            path = self.path.split("?")[0].strip("/")
            if path.startswith("api/models/"):
                name, _, revision = path.removeprefix("api/models/").partition("/revision/")
                if "/tree/" in name:
                    name, _, revision = name.partition("/tree/")
                if name not in repositories.revisions:
                    return self.refuse("RepoNotFound")
                found = repositories.find(name, revision or "main")
                if found is None:
                    return self.refuse("RevisionNotFound")
                oid, files = found
                if "/tree/" in path:
                    entries = [
                        {
                            "type": "file",
                            "path": file,
                            "size": len(content),
                            "oid": hashlib.sha1(content).hexdigest(),
                        }
                        for file, content in files.items()
                    ]
                    return self.answer(200, entries)
                siblings = [{"rfilename": file} for file in files]
                return self.answer(
                    200, {"id": name, "modelId": name, "sha": oid, "siblings": siblings}
                )
            name, resolve, rest = path.partition("/resolve/")
            if not resolve or name not in repositories.revisions:
                return self.refuse("RepoNotFound")
            revision, _, file = rest.partition("/")
            found = repositories.find(name, revision)
            if found is None or file not in found[1]:
                return self.refuse("EntryNotFound")
            content = found[1][file]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": found[0]}
            return self.answer(200, headers=headers, body=content)

        do_HEAD = do_GET

        def do_POST(self):
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.split("?")[0].strip("/")
            if path == "api/repos/create":
                values = json.loads(content)
                name = f"{values['organization']}/{values['name']}"
                if name not in repositories.revisions:
                    repositories.add(name, {})
                return self.answer(200, {"url": f"{address}/{name}", "name": name})
            if path == "api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            name, _, _ = path.removeprefix("api/models/").rpartition("/")
            name, _, verb = name.rpartition("/")
            if verb == "preupload":
                files = json.loads(content)["files"]
                modes = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in files
                ]
                return self.answer(200, {"files": modes})
            if verb == "commit":
                files = dict(repositories.find(name, "main")[1])
                for line in content.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                oid = repositories.add(name, files)
                return self.answer(
                    200,
                    {
                        "commitUrl": f"{address}/{name}/commit/{oid}",
                        "commitOid": oid,
                        "pullRequestUrl": None,
                    },
                )
            return self.answer(404, {"error": self.path})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address, repositories
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
