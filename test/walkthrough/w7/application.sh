#!/bin/sh
# The application: passes what it is asked on to the database, which it knows by name.
printf 'Content-Type: text/plain\r\nX-Version: %s\r\n\r\n' "$VERSION"
exec wget -q -O - "http://db:5432/cgi-bin/db?${QUERY_STRING:-list}"
