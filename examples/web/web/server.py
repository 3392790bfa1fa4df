"""One page: which release serves it, and what the database, found by its name, says of itself."""
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2

RELEASE = Path("/release").read_text().strip()
SECRET = Path("/run/secrets/pg_password")


def database():
    password = SECRET.read_text().strip() if SECRET.exists() else None
    connection = psycopg2.connect(host="db", dbname="todos", user="todo", password=password, connect_timeout=3)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database(), current_user")
            return "%s of %s" % cursor.fetchone()
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, "ok")
        try:
            said = database()
        except psycopg2.OperationalError as error:
            return self.answer(502, f"release {RELEASE}, the database does not answer: {str(error).splitlines()[0]}")
        self.answer(200, f"release {RELEASE}, database says: {said}")

    def answer(self, status, text):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8000), Handler)
server.daemon_threads = False
# What is being answered is answered to its end.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
