#!/bin/sh
# A database as a CGI program: a folder with a file per row. Without the migration there is no table.
table=/var/lib/db/todos
answer() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n' "$1"; shift; [ $# -eq 0 ] || echo "$*"; exit 0; }
[ "$QUERY_STRING" = migrate ] && { mkdir -p "$table"; answer '200 OK' migrated; }
[ -d "$table" ] || answer '500 Internal Server Error' 'no such table: todos'
case $QUERY_STRING in
  list) printf 'Content-Type: text/plain\r\n\r\n'; ls "$table" ;;
  create=*) : > "$table/${QUERY_STRING#create=}"; answer '200 OK' created ;;
  delete=*) rm -f "$table/${QUERY_STRING#delete=}"; answer '200 OK' deleted ;;
  *) answer '400 Bad Request' ;;
esac
