#!/bin/bash
# sql/migrate: twice, twenty at once, a newer schema, an edited file, from elsewhere.
migrate=$WSMFA_MIGRATE sql=$(dirname "$WSMFA_MIGRATE")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../tap.sh"
value() { psql -X -q -A -t -c "$1"; }
files=$(ls "$sql" | grep -c '^[0-9]\{4\}_.*\.sql$')
newest=$(ls "$sql" | sed -n 's/^0*\([0-9]*\)_.*\.sql$/\1/p' | sort -n | tail -1) # numbers may have gaps

createdb -T template0 -E UTF8 m1
export PGDATABASE=m1
out=$("$migrate" --check 2>&1); status=$?
check 'check: something is to do' [ $status = 3 ]
check 'check: says what' grep -q "$files migrations would be applied" <<<"$out"
check 'check: changes nothing' [ "$(value "SELECT to_regnamespace('wsmfa') IS NULL")" = t ]
out=$("$migrate" 2>&1); ok $? 'a fresh database' "$out"
check 'a line for each file' [ "$(grep -c '^migrate: applied ' <<<"$out")" = "$files" ]
check 'and where it is now' grep -q "^migrate: database m1 is at schema $newest\$" <<<"$out"
out=$("$migrate" 2>&1); ok $? 'twice' "$out"
check 'the second time nothing is applied' [ "$(grep -c applied <<<"$out")" = 0 ]
out=$("$migrate" --quiet 2>&1); check 'quiet' [ -z "$out" ]
"$migrate" --check >/dev/null 2>&1; check 'check: nothing to do' [ $? = 0 ]
check 'schema_check tells it' [ "$(value 'SELECT wsmfa.schema_check()')" = "$newest" ]

# twenty at once, on one database
createdb -T template0 -E UTF8 m2
export PGDATABASE=m2
pids=()
for i in {1..20}; do "$migrate" >"$work/out.$i" 2>&1 & pids+=($!); done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
ok $failed 'twenty at once on one database' "$(cat "$work"/out.*)"
check 'each file was applied by one of them' [ "$(cat "$work"/out.* | grep -c '^migrate: applied ')" = "$files" ]
check 'and is recorded once' [ "$(value 'SELECT count(*) FROM wsmfa.schema_version')" = "$files" ]

# five databases at once in a cluster without the roles: they are the cluster's
for i in {1..5}; do createdb -T template0 -E UTF8 "r$i"; done
for db in m1 m2 wsmfa_test; do PGDATABASE=$db psql -X -q -A -t -c "SELECT 1" >/dev/null; done
cluster=$work/second
[ "$(id -u)" != 0 ] || { chmod 711 "$work"; install -d -o postgres "$cluster"; as=(runuser -u postgres --); }
mkdir -p "$cluster"
(cd / && "${as[@]}" initdb -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null &&
	"${as[@]}" pg_ctl -D "$cluster/data" -o "-c listen_addresses='' -c unix_socket_directories='$cluster' -c fsync=off" -l "$cluster/log" -w start >/dev/null)
for i in {1..5}; do PGHOST=$cluster createdb "r$i"; done
pids=()
for i in {1..5}; do PGHOST=$cluster PGDATABASE=r$i "$migrate" >"$work/role.$i" 2>&1 & pids+=($!); done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
ok $failed 'five databases at once in a cluster without roles' "$(cat "$work"/role.*)"
check 'all roles are there' [ "$(PGHOST=$cluster PGDATABASE=r1 value "SELECT count(*) FROM pg_roles WHERE rolname ~ '^wsmfa_'")" = 5 ]

# the database's owner, who is no superuser
PGHOST=$cluster PGDATABASE=postgres psql -X -q -c 'CREATE ROLE owner LOGIN' -c 'CREATE DATABASE owned OWNER owner'
out=$(PGHOST=$cluster PGDATABASE=owned PGUSER=owner "$migrate" 2>&1); ok $? 'an owner without rights of his own, where the roles are' "$out"
check 'sees everything' [ "$(PGHOST=$cluster PGDATABASE=owned PGUSER=owner value 'SELECT wsmfa.sees_all()')" = t ]
PGHOST=$cluster PGDATABASE=postgres psql -X -q -c 'CREATE DATABASE owned2 OWNER owner' -c 'ALTER ROLE wsmfa_push RENAME TO gone'
out=$(PGHOST=$cluster PGDATABASE=owned2 PGUSER=owner "$migrate" 2>&1); status=$?
check 'where one is missing he is stopped' [ $status = 1 ]
check 'with a sentence that says what to do' grep -q 'the role wsmfa_push is missing and owner may not create roles' <<<"$out"
PGHOST=$cluster PGDATABASE=postgres psql -X -q -c 'CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE "C"'
out=$(PGHOST=$cluster PGDATABASE=latin "$migrate" 2>&1); check 'another encoding' grep -q '^migrate: database latin has the encoding LATIN1; UTF8 is needed' <<<"$out"
(cd / && "${as[@]}" pg_ctl -D "$cluster/data" -m immediate stop >/dev/null)

# what it refuses
export PGDATABASE=m1
cp -r "$sql" "$work/copy"
echo '-- edited' >>"$work/copy/0002_directory.sql"
out=$("$work/copy/migrate" 2>&1); status=$?
check 'an edited migration' [ $status = 1 ]
check 'says which' grep -q '^migrate: migration 2 (directory) was edited or removed since it was applied' <<<"$out"
rm -r "$work/copy"; cp -r "$sql" "$work/copy"; rm "$work/copy/0002_directory.sql"
out=$("$work/copy/migrate" 2>&1); check 'a removed one' grep -q '^migrate: migration 2 (directory) was edited or removed' <<<"$out"
value "INSERT INTO wsmfa.schema_version (id, name, checksum) VALUES (900, 'future', 'x')"
out=$("$migrate" 2>&1); status=$?
check 'a newer schema' [ $status = 1 ]
check 'says so' grep -q "^migrate: the database has schema 900 (future), newer than this program's $newest: install the newer program\$" <<<"$out"
value 'DELETE FROM wsmfa.schema_version WHERE id = 900' >/dev/null
rm -r "$work/copy"; cp -r "$sql" "$work/copy"
echo 'CREATE TABLE wsmfa.half (); SELECT 1/0;' >"$work/copy/0901_broken.sql"
out=$("$work/copy/migrate" 2>&1); status=$?
check 'a migration that fails' [ $status = 1 ]
check 'says where and why' grep -q '0901_broken.sql, line 1: division by zero' <<<"$out"
check 'leaves nothing of itself' [ "$(value "SELECT to_regclass('wsmfa.half') IS NULL AND wsmfa.schema_check() = $newest")" = t ]
echo 'CREATE TABLE wsmfa.later (); COMMENT ON TABLE wsmfa.later IS $$x$$;' >"$work/copy/0901_broken.sql"
out=$("$work/copy/migrate" 2>&1); ok $? 'mended, it goes on where it stopped' "$out"
check 'with that file alone' [ "$(grep applied <<<"$out")" = 'migrate: applied 0901_broken.sql' ]
mkdir "$work/else where"; cp "$sql"/*.sql "$work/else where"; ln -s "$migrate" "$work/linked"
export PGDATABASE=m2
out=$("$work/linked" 2>&1); ok $? 'through a link' "$out"
out=$(cd / && "$migrate" --dir "$work/else where" 2>&1); ok $? 'files elsewhere, in a folder with a blank' "$out"
out=$("$migrate" --dir /nonexistent 2>&1); check 'no such folder' grep -q '^migrate: no folder /nonexistent' <<<"$out"
out=$("$migrate" --dir "$work" 2>&1); check 'no files' grep -q '^migrate: no file NNNN_name.sql in ' <<<"$out"
out=$(PGDATABASE=nonexistent "$migrate" 2>&1); status=$?
check 'no such database' grep -q 'database "nonexistent" does not exist' <<<"$out"
check 'is a failure' [ $status = 1 ]
"$migrate" --nonsense >/dev/null 2>&1; check 'usage' [ $? = 2 ]
"$migrate" --help | grep -q '^usage: migrate'; ok $? 'help'
for db in m1 m2 r1 r2 r3 r4 r5; do dropdb "$db"; done
echo "1..$n"
