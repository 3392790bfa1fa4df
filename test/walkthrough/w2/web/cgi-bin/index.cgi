#!/bin/sh
# The page: which release serves it, and what the database says by its name.
echo 'Content-Type: text/plain'
echo
echo "release $(cat /release), database says: $(nc -w 2 db 5432 < /dev/null)"
if [ -e /run/secrets/pg_password ]; then echo "password: $(cat /run/secrets/pg_password)"; fi
