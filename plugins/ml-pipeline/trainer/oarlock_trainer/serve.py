"""Answers predictions of one version over HTTP: POST /predict, GET /healthz, /livez, /version."""

import http.server
import json
import signal
import threading
import urllib.parse

from .algorithms import Model
from .contract import MODEL, Refusal, read_json, sha256_of_file

PORT = 8080
BODY_BYTES_MAX = 1 << 20
ROWS_MAX = 10_000


class Served:
    def __init__(self, folder, digest, version):
        if digest and sha256_of_file(folder / "manifest.json") != digest:
            raise Refusal(MODEL, f"expected the manifest of version {version} to have the digest "
                                 f"{digest}, found another")
        manifest = read_json(folder / "manifest.json") or {"files": {}}
        for name, wanted in manifest["files"].items():
            if sha256_of_file(folder / name) != wanted:
                raise Refusal(MODEL, f"expected {name} with sha256 {wanted}, found another")
        self.model, self.digest, self.version = Model(folder), digest, version
        self.example = self.model.about["example"]
        self.predict([self.example])

    def predict(self, rows):
        found = self.model.probabilities(rows)
        return {"predictions": [self.model.classes[i] for i in found.argmax(axis=1)],
                "probabilities": [[round(float(p), 9) for p in row] for row in found],
                "version": self.version}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    served = None

    def log_message(self, *_):
        pass

    def _answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code >= 400:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _place(self):
        return urllib.parse.urlsplit(self.path).path

    def _body(self):
        """Whole, of a length that is said before it or in chunks, as proxies send it."""
        too_much = ValueError(f"expected a body of at most {BODY_BYTES_MAX} bytes, with its length")
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            size = int(self.headers.get("Content-Length") or -1)
            if not 0 <= size <= BODY_BYTES_MAX:
                raise too_much
            return self.rfile.read(size)
        body = b""
        while size := int(self.rfile.readline(64).split(b";")[0], 16):
            if size < 0 or len(body) + size > BODY_BYTES_MAX:
                raise too_much
            body += self.rfile.read(size)
            self.rfile.readline(64)
        while self.rfile.readline(1024).strip():
            pass  # trailers
        return body

    def do_GET(self):
        place = self._place()
        if place == "/livez":
            return self._answer(200, {"ok": True})
        if place == "/version":
            about = self.served.model.about
            return self._answer(200, {
                "version": self.served.version, "digest": self.served.digest,
                "algorithm": about["algorithm"], "classes": about["classes"],
                "features": about["features"]})
        if place == "/healthz":
            try:
                self.served.predict([self.served.example])
            except (Refusal, ValueError) as e:
                return self._answer(503, {"error": str(e)})
            return self._answer(200, {"ok": True})
        return self._answer(404, {"error": "expected /predict, /healthz, /livez or /version"})

    def do_POST(self):
        if self._place() != "/predict":
            return self._answer(404, {"error": "expected POST /predict"})
        try:
            body = self._body()
        except ValueError as e:
            return self._answer(413, {"error": str(e)})
        try:
            rows = json.loads(body)["instances"]
            if not isinstance(rows, list) or not 0 < len(rows) <= ROWS_MAX:
                raise ValueError(f"expected 1 to {ROWS_MAX} rows")
            return self._answer(200, self.served.predict(rows))
        except Refusal as e:
            return self._answer(500, {"error": str(e)})
        except (ValueError, TypeError, KeyError) as e:
            what = 'expected {"instances": [[numbers], ...]}'
            return self._answer(400, {"error": f"{what}: {e}"})


def make_server(folder, digest, version, host, port):
    handler = type("VersionHandler", (Handler,), {"served": Served(folder, digest, version)})
    server = http.server.ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server


def run(work, log):
    folder = work.models / "versions" / str(work.version)
    try:
        server = make_server(folder, work.digest, work.version, "", PORT)
    except FileNotFoundError as e:
        raise Refusal(MODEL, f"expected version {work.version} in {folder}, found none") from e
    signal.signal(signal.SIGTERM,
                  lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    log(f"version {work.version} answers on port {PORT}")
    server.serve_forever()
    return {}
