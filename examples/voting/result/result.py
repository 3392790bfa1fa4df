"""The page with the result, and the same as JSON at /result."""
import json
import os
import signal
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2

A, B = os.environ.get("OPTION_A", "Cats"), os.environ.get("OPTION_B", "Dogs")
PASSWORD = Path("/run/secrets/db_password")


def count():
    connection = psycopg2.connect(host="db", dbname="votes", user="postgres", password=PASSWORD.read_text().strip(), connect_timeout=3)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT vote, count(*) FROM votes GROUP BY vote")
            votes = dict(cursor.fetchall())
    except psycopg2.errors.UndefinedTable:
        votes = {}
    finally:
        connection.close()
    return {A: votes.get("a", 0), B: votes.get("b", 0)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, "text/plain", "ok\n")
        try:
            votes = count()
        except psycopg2.OperationalError as error:
            return self.answer(502, "text/plain", f"the database does not answer: {str(error).splitlines()[0]}\n")
        if self.path == "/result":
            return self.answer(200, "application/json", json.dumps(votes) + "\n")
        rows = "".join(f"<li>{escape(name)}: {number}</li>" for name, number in votes.items())
        self.answer(200, "text/html; charset=utf-8", f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><h1>Result</h1><ul>{rows}</ul>')

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
