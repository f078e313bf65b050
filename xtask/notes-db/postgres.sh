#!/bin/sh
# Serves a new PostgreSQL on a Unix socket in a folder until standard input is closed.
#   postgres.sh FOLDER PROGRAMS SCHEMA
set -eu
folder=$1 programs=$2 schema=$3

"$programs/initdb" --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
# It is thrown away: nothing has to outlive a failure of the machine.
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off &
server=$!
trap 'kill -INT $server; wait $server' EXIT

until "$programs/pg_isready" --quiet --host "$folder" --username postgres; do
    kill -0 $server
done
"$programs/createdb" --host "$folder" --username postgres notes
"$programs/psql" --no-psqlrc --quiet --host "$folder" --username postgres --dbname notes --set ON_ERROR_STOP=1 --file "$schema"
echo "ready: $folder"
cat >/dev/null
