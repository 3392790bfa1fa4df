#!/bin/sh
# Starts PostgreSQL as the image of that name does: an empty data folder gets a database and a superuser from POSTGRES_DB, POSTGRES_USER and
# POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE. Before all of that is there, nobody can connect.
set -eu
[ "${1:-}" = postgres ] || exec "$@"
shift
data=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
mkdir -p "$data" /run/postgresql
chown -R app:app "$data" /run/postgresql
chmod 700 "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  password=${POSTGRES_PASSWORD:-}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || password=$(cat "$POSTGRES_PASSWORD_FILE")
  if [ -z "$password" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
    echo "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in" >&2
    exit 1
  fi
  ask=
  if [ -n "$password" ]; then
    (umask 077 && printf '%s\n' "$password" > /tmp/password)
    chown app /tmp/password
    ask=--pwfile=/tmp/password
  fi
  su app -c "initdb -D $data -U $user $ask -E UTF8 --locale=C --no-sync >/dev/null"
  rm -f /tmp/password
  echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$data/pg_hba.conf"
  [ "$database" = postgres ] || echo "CREATE DATABASE \"$database\";" | su app -c "postgres --single -D $data postgres >/dev/null"
fi
unset password
exec start-stop-daemon -S -c app:app -x "$(command -v postgres)" -- -D "$data" -c listen_addresses='*' -c jit=off "$@"
