"""A Hugging Face hub on loopback: repositories from folders, with the routes and headers that its clients ask for.

huggingface_hub reads HF_ENDPOINT when it is imported, so a client runs in a process of its own, with `environment`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from tests.helpers.hub_cache import LARGE_BYTES

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_the_test"
PATIENCE_S = 20.0


@dataclass
class Repository:
    """One repository at one commit.

    Attributes:
        files: content by path.
        names: branches and tags that lead to the commit.
        gated: only with TOKEN; without it 401, with another one 403.
        truncated: paths whose transfer ends early.
        altered: content that is sent under a path in place of what the hub's lists declare.
    """

    files: dict[str, bytes]
    commit: str = COMMIT
    names: set[str] = field(default_factory=lambda: {"main"})
    gated: bool = False
    truncated: set[str] = field(default_factory=set)
    altered: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, **changed: Any) -> Repository:
        """The files of a folder."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, **changed)


@dataclass(frozen=True)
class Asked:
    """A received request."""

    method: str
    path: str
    authorization: str


class HubDouble:
    """A hub on a free port.

    Attributes:
        repositories: by name, OWNER/NAME.
        asked: all requests, in order.
        downloads: paths of the files whose content was sent.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.asked: list[Asked] = []
        self.downloads: list[str] = []
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        # Clients follow a redirection to the same host silently, and take the headers of its end.
        self.other_host = f"http://localhost:{port}"
        self.app = _routes(self)

    def environment(self, cache: Path, **changed: str) -> dict[str, str]:
        """Variables of a client's process: this hub, and a cache of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return {**inherited, "HF_ENDPOINT": self.endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", **changed}


@contextmanager
def serve_hub() -> Iterator[HubDouble]:
    """Serves a double in a thread until the context ends."""
    double = HubDouble()
    server = uvicorn.Server(uvicorn.Config(double.app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [double._socket]}, daemon=True)
    # The socket accepts connections from here on, also before the server reads them.
    double._socket.listen(16)
    thread.start()
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        double._socket.close()


def _routes(double: HubDouble) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def note(request: Request, follow: Any) -> Response:
        authorization = request.headers.get("authorization", "")
        double.asked.append(Asked(request.method, request.url.path, authorization))
        response: Response = await follow(request)
        return response

    @app.api_route("/api/models/{owner}/{name}/revision/{revision}", methods=["GET"])
    async def info(request: Request, owner: str, name: str, revision: str) -> Response:
        found = _found(double, request, f"{owner}/{name}", revision)
        if isinstance(found, Response):
            return found
        files = [{"rfilename": path} for path in found.files]
        return JSONResponse(
            {"id": f"{owner}/{name}", "modelId": f"{owner}/{name}", "sha": found.commit, "siblings": files}
        )

    @app.api_route("/api/models/{owner}/{name}/tree/{revision}", methods=["GET"])
    async def tree(request: Request, owner: str, name: str, revision: str) -> Response:
        found = _found(double, request, f"{owner}/{name}", revision)
        if isinstance(found, Response):
            return found
        return JSONResponse([_entry(path, data) for path, data in found.files.items()])

    @app.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    async def resolve(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
        found = _found(double, request, f"{owner}/{name}", revision)
        if isinstance(found, Response):
            return found
        headers = {"X-Repo-Commit": found.commit}
        if path not in found.files:
            return _refusal(404, "EntryNotFound", headers)
        data = found.files[path]
        if len(data) < LARGE_BYTES:
            return _content(double, request, found, path, {**headers, "ETag": f'"{_git_hash(data)}"'})
        # As the hub: a large file lies on another host, and the answer with the redirection describes it.
        headers |= {"X-Linked-Etag": f'"{_sha256(data)}"', "X-Linked-Size": str(len(data))}
        return RedirectResponse(f"{double.other_host}/cdn/{owner}/{name}/{path}", 302, headers=headers)

    @app.api_route("/cdn/{owner}/{name}/{path:path}", methods=["GET", "HEAD"])
    async def cdn(request: Request, owner: str, name: str, path: str) -> Response:
        found = double.repositories[f"{owner}/{name}"]
        return _content(double, request, found, path, {"ETag": f'"{_sha256(found.files[path])}"'})

    @app.api_route("/", methods=["GET", "HEAD"])
    async def front() -> Response:
        return Response("a hub")

    return app


def _found(double: HubDouble, request: Request, name: str, revision: str) -> Repository | Response:
    """The repository at a revision, or the refusal."""
    authorization = request.headers.get("authorization", "")
    repository = double.repositories.get(name)
    if repository is None:
        # The hub does not say whether a repository without access exists.
        return _refusal(401, "RepoNotFound")
    if repository.gated and authorization != f"Bearer {TOKEN}":
        return _refusal(403 if authorization else 401, "GatedRepo")
    if revision not in {repository.commit, *repository.names}:
        return _refusal(404, "RevisionNotFound")
    return repository


def _refusal(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": code}, status, {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})


def _content(
    double: HubDouble, request: Request, repository: Repository, path: str, headers: dict[str, str]
) -> Response:
    data = repository.altered.get(path, repository.files[path])
    headers["Content-Length"] = str(len(data))
    if request.method == "HEAD":
        return Response(headers=headers)
    double.downloads.append(path)
    if path in repository.truncated:
        # The length that was announced does not come: the connection is closed in the middle.
        return _Broken(data, headers=headers)
    return Response(data, headers=headers, media_type="application/octet-stream")


class _Broken(Response):
    """Sends the first half of its content, and closes the connection."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        raise ConnectionError("closed by the test")


def _entry(path: str, data: bytes) -> dict[str, object]:
    found: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)}
    if len(data) >= LARGE_BYTES:
        found["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
    return found


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
