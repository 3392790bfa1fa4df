"""The page to vote on. A vote goes into the queue; who counts it, and when, is not this program's business."""
import json
import os
import signal
import threading
import uuid
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import gethostname
from urllib.parse import parse_qs

import redis

A, B = escape(os.environ.get("OPTION_A", "Cats")), escape(os.environ.get("OPTION_B", "Dogs"))
queue = redis.Redis(host="redis", socket_timeout=5)
PAGE = f"""<!doctype html><meta charset="utf-8"><title>{A} or {B}</title>
<h1>{A} or {B}?</h1>
<form method="post"><button name="vote" value="a">{A}</button> <button name="vote" value="b">{B}</button></form>
<p><small>Served by {gethostname()}</small></p>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, "ok\n" if self.path == "/healthz" else PAGE)

    def do_POST(self):
        form = parse_qs(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1000)).decode())
        choice = form.get("vote", [""])[0]
        if choice not in ("a", "b"):
            return self.answer(400, "vote=a or vote=b\n")
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("voter")
        voter = cookie.value if cookie else uuid.uuid4().hex
        try:
            queue.rpush("votes", json.dumps({"voter": voter, "vote": choice}))
        except redis.RedisError as error:
            return self.answer(502, f"the queue does not answer: {error}\n")
        self.answer(200, PAGE, voter)

    def answer(self, status, text, voter=None):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if voter:
            self.send_header("Set-Cookie", f"voter={voter}; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8000), Handler)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
