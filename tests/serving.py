"""Servers on loopback: one of our own that serves a folder and fails on demand, and moto's S3."""

import json
import logging
import os
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

import pytest

os.environ["TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS"] = "2"  # taken at the first request


class Faulty(ThreadingHTTPServer):
    """Serves the files of a folder, with Range; `fault` says what goes wrong with a request.

    Attributes
    ----------
    fault
        Called with the path and how often it was asked for before; returns the name of a fault, a
        status, or None.
    asked
        How often each path was asked for.
    most
        Most requests that were under way at once.
    pause
        Seconds that each answer takes.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.fault = folder, lambda path, before: None
        self.asked, self.pause, self.takes_ranges = Counter(), 0.0, True
        self.under_way = self.most = 0
        self.lock, self.over = threading.Lock(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that gives up


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        with self.server.lock:
            before = self.server.asked[path]
            self.server.asked[path] += 1
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
        try:
            time.sleep(self.server.pause)
            self.answer(path, self.server.fault(path, before))
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    do_HEAD = do_GET

    def answer(self, path, fault):
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        if fault == "silent":
            self.server.over.wait(60)
            self.close_connection = True
            return
        file = self.server.folder / path.lstrip("/")
        if not file.is_file():
            self.answer(path, 404)
            return
        body, status, headers = file.read_bytes(), 200, {}
        asked = self.headers.get("Range")
        if asked and self.server.takes_ranges:
            start, end = _range(asked, len(body))
            if start >= len(body) or fault == 416:
                self.answer(path, 416)
                return
            headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"}
            body, status = body[start:end], 206
        if fault == "short":  # whole by its length, but with less than there is
            body = body[: len(body) // 2]
        if fault == "long":
            body += b"more"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{file.stat().st_mtime_ns}"')
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut":
            self.close_connection = True
            self.wfile.write(body[: len(body) // 2])
        elif fault == "stalled":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.over.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)


def _range(asked, size):
    """Return start and end of the bytes that the header Range asks for."""
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, size - int(last))
    return start, min(int(last) + 1, size) if first and last else size


@contextmanager
def serving(folder):
    """Give a server of a folder."""
    server = Faulty(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Bucketful:
    """Moto's S3 server; `fault` says what goes wrong with a request.

    Attributes
    ----------
    url
        Where it listens.
    fault
        Called with method, path and how often that was asked for before; returns a status, or
        ``"lost"`` for a request that is answered and not done, or None.
    asked
        Methods and paths of the requests, in their order.
    """

    def __init__(self, app):
        self.app, self.url, self.asked, self.lock = app, "", [], threading.Lock()
        self.fault = lambda method, path, before: None

    def __call__(self, environ, start):
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self.lock:
            before = self.asked.count(asked)
            self.asked.append(asked)
        fault = self.fault(*asked, before)
        if fault is None:
            return self.app(environ, start)
        environ["wsgi.input"].read()
        start("200 OK" if fault == "lost" else f"{fault} Fault", [("ETag", '"none"')])
        return [b""]


@contextmanager
def s3_server():
    """Give moto's S3 server behind waitress, or skip the test, saying why."""
    moto = pytest.importorskip("moto.server", reason='no S3 server: pip install "moto[s3]" flask')
    waitress = pytest.importorskip("waitress", reason="no S3 server: pip install waitress")
    app = moto.DomainDispatcherApplication(moto.create_backend_app)
    app = Bucketful(app)
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=16)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        app.url = f"http://127.0.0.1:{server.effective_port}"
        yield app
    finally:
        server.close()
        thread.join(timeout=0.5)  # it polls once a second, and is a daemon


def put(url, body=b"", **headers):
    """Put an object, or make a bucket."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Content-Type"] = "application/octet-stream"  # urllib's own would make it a form
    with urlopen(Request(url, data=body, method="PUT", headers=named)) as answer:
        assert answer.status == 200


class Google(ThreadingHTTPServer):
    """The part of Google Cloud Storage's JSON API that tensorstore uses, for one bucket.

    Attributes
    ----------
    objects
        Content and generation of each object, by its name.
    asked
        Methods and names of the changes, in their order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _GoogleHandler)
        self.objects, self.asked, self.lock, self.count = {}, [], threading.Lock(), 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _GoogleHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Google

    def log_message(self, *args):
        pass

    def _say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Authorization") != "Bearer key":
            self._say(401)
            return
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = url.path.removeprefix("/upload").removeprefix("/storage/v1/b/").split("/", 2)
        bucket, name = parts[0], unquote(parts[2]) if len(parts) > 2 else query.get("name")
        with self.server.lock:
            if bucket != "bucket":
                self._say(404)
            elif self.command == "POST":
                self._put(name, body)
            elif name is None:
                self._list(query)
            elif name not in self.server.objects:
                self._say(404)
            elif self.command == "DELETE":
                self.server.asked.append(("DELETE", name))
                del self.server.objects[name]
                self._say(204)
            else:
                content, generation = self.server.objects[name]
                told = {"x_goog_generation": str(generation)}
                if asked := self.headers.get("Range"):
                    start, end = _range(asked, len(content))
                    told["Content_Range"] = f"bytes {start}-{end - 1}/{len(content)}"
                    content = content[start:end]
                self._say(206 if asked else 200, content, **told)

    do_GET = do_POST = do_DELETE = _answer

    def _put(self, name, body):
        self.server.asked.append(("PUT", name))
        self.server.count += 1
        self.server.objects[name] = body, self.server.count
        self._say(200, json.dumps(_told(name, self.server.count, len(body))).encode())

    def _list(self, query):
        prefix, first = query.get("prefix", ""), query.get("startOffset", "")
        end = query.get("endOffset")
        items = [
            _told(name, generation, len(content))
            for name, (content, generation) in sorted(self.server.objects.items())
            if name.startswith(prefix) and name >= first and (end is None or name < end)
        ]
        self._say(200, json.dumps({"items": items}).encode())


def _told(name, generation, size):
    return {"name": name, "generation": str(generation), "size": str(size), "metageneration": "1"}


@contextmanager
def google():
    """Give a server that stands for Google Cloud Storage."""
    server = Google()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
