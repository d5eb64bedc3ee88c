# SPDX-License-Identifier: MIT
"""An HTTP server on loopback that serves a folder, well or badly: see Server.modes."""
import hashlib
import http.server
import os
import ssl
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves files of server.root, with ranges."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Says nothing."""

    def empty(self, status, **headers):
        """An answer without a body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        """One file."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        server = self.server.owner
        with server.changed:
            server.requests.append((path, self.headers.get("Range")))
            count = sum(1 for name, _ in server.requests if name == path)
            server.open += 1
            server.most_open = max(server.most_open, server.open)
            server.changed.notify_all()
        try:
            self.answer(server, path, count, server.modes.get(path, {}))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with server.changed:
                server.open -= 1

    def answer(self, server, path, count, mode):
        """Answers in one of the modes."""
        if "redirect" in mode:
            return self.empty(302, Location=mode["redirect"])
        if count <= mode.get("fail", 0):
            return self.empty(mode.get("status", 503))
        if count <= mode.get("hang_up", 0):
            self.close_connection = True
            return None
        try:
            with open(os.path.join(server.root, path), "rb") as file:
                data = file.read()
        except OSError:
            return self.empty(404)
        data = mode.get("data", data)
        return self.body(server, data, count, mode)

    def body(self, server, data, count, mode):
        """Sends a body, or a part of it."""
        wanted = self.headers.get("Range")
        start = 0
        if wanted and mode.get("ranges", True):
            start = int(wanted[len("bytes="):].split("-")[0])
            if start >= len(data):
                return self.empty(416)
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" %
                             (start + mode.get("shift", 0), len(data) - 1, len(data)))
        else:
            self.send_response(200)
        rest = data[start:]
        if mode.get("length", True):
            self.send_header("Content-Length", str(len(rest)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if count <= mode.get("truncate", 0):
            rest = rest[:max(1, len(rest) // 2)]
            self.close_connection = True
        if mode.get("hold"):
            half = len(rest) // 2
            self.wfile.write(rest[:half])
            self.wfile.flush()
            server.released.wait(60)
            rest = rest[half:]
        self.wfile.write(rest)
        return None


class Server:
    """modes: path -> dict of fail/status, hang_up, truncate, ranges, length, data, shift, hold, redirect."""

    def __init__(self, root, certificate=None):
        self.root = root
        self.modes = {}
        self.requests = []
        self.open = self.most_open = 0
        self.changed = threading.Condition()
        self.released = threading.Event()
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.httpd.handle_error = lambda *_: None  # a client that was killed
        self.httpd.owner = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.url = "http://127.0.0.1:%d/" % self.httpd.server_address[1]

    def until(self, condition):
        """Waits until the condition on the requests so far is true."""
        with self.changed:
            if not self.changed.wait_for(condition, 60):
                raise TimeoutError("no such request: %r" % self.requests[-5:])

    def clear(self, **modes):
        """Forgets what was asked, and sets new modes."""
        self.requests.clear()
        self.most_open = 0
        self.released.clear()
        self.modes = modes

    def asked(self, path):
        """The Range headers of the requests for one path."""
        return [wanted for name, wanted in self.requests if name == path]

    def close(self):
        """Ends it."""
        self.released.set()
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


def sha256(data):
    """As a manifest has it."""
    return hashlib.sha256(data).hexdigest()


def write_tree(root, files):
    """Writes files (path -> bytes) and their PULP_MANIFEST; returns the manifest's text."""
    manifest = ""
    for path, data in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)
        manifest += "%s,%s,%d\n" % (path, sha256(data), len(data))
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "PULP_MANIFEST"), "w", encoding="utf-8") as file:
        file.write(manifest)
    return manifest


def read_tree(root):
    """All files below a folder: path -> bytes."""
    files = {}
    for where, _, names in os.walk(root):
        for name in names:
            full = os.path.join(where, name)
            with open(full, "rb") as file:
                files[os.path.relpath(full, root)] = file.read()
    return files
