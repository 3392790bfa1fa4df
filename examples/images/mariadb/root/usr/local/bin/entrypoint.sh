#!/bin/sh
# Starts MariaDB as the image of that name does: an empty data folder gets a database and a user from MARIADB_DATABASE, MARIADB_USER and
# MARIADB_PASSWORD or MARIADB_PASSWORD_FILE. Before all of that is there, nobody can connect.
set -eu
[ "${1:-}" = mariadbd ] || exec "$@"
shift
password=${MARIADB_PASSWORD:-}
[ -z "${MARIADB_PASSWORD_FILE:-}" ] || password=$(cat "$MARIADB_PASSWORD_FILE")
data=/var/lib/mysql
mkdir -p "$data" /run/mysqld
chown -R app:app "$data" /run/mysqld
serve() { mariadbd --user=app --datadir="$data" --socket=/run/mysqld/mysqld.sock "$@"; }
if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --user=app --datadir="$data" --auth-root-authentication-method=socket --skip-test-db >/dev/null
  {
    echo "FLUSH PRIVILEGES;"
    [ -z "${MARIADB_DATABASE:-}" ] || echo "CREATE DATABASE \`$MARIADB_DATABASE\` CHARACTER SET utf8mb4;"
    if [ -n "${MARIADB_USER:-}" ]; then
      echo "CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$password';"
      [ -z "${MARIADB_DATABASE:-}" ] || echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO '$MARIADB_USER'@'%';"
    fi
  } | serve --bootstrap >/dev/null
fi
unset password
exec mariadbd --user=app --datadir="$data" --socket=/run/mysqld/mysqld.sock --bind-address=0.0.0.0 --skip-name-resolve "$@"
