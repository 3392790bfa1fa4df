"""Takes votes out of the queue and counts them in the database; who votes again changes their mind. When something does not answer it ends, and the
swarm starts it again."""
import json
import signal
import sys
from pathlib import Path

import psycopg2
import redis

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
queue = redis.Redis(host="redis", socket_timeout=10)
password = Path("/run/secrets/db_password").read_text().strip()
database = psycopg2.connect(host="db", dbname="votes", user="postgres", password=password, connect_timeout=5)
database.autocommit = True
cursor = database.cursor()
cursor.execute("CREATE TABLE IF NOT EXISTS votes (voter text PRIMARY KEY, vote text NOT NULL)")
print("worker: counting", flush=True)
while True:
    # Taken out only once it is counted: a worker that is killed in between counts it again, which changes nothing.
    item = queue.brpoplpush("votes", "counting", timeout=5)
    if item is None:
        continue
    vote = json.loads(item)
    cursor.execute(
        "INSERT INTO votes (voter, vote) VALUES (%s, %s) ON CONFLICT (voter) DO UPDATE SET vote = EXCLUDED.vote", (vote["voter"], vote["vote"])
    )
    queue.lrem("counting", 1, item)
