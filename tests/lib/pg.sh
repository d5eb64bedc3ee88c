# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A private PostgreSQL for a test, after env.sh:
#
#	. "$top_srcdir/tests/lib/pg.sh"
#	pg_start
#
# It listens on a Unix socket only, any account of the machine may connect as its
# superuser, and it keeps nothing safe from a crash of the machine (fsync off).
# Root runs it as the account postgres. It ends with the test, and dies with it
# if that is killed. Exported by pg_start:
#
#	PGHOST PGPORT PGUSER PGDATABASE   for psql and libpq
#	PULP_DATABASE                     the same as a connection string

# The folder of the server's programs: PULP_PG_BINDIR or the newest of Debian's.
pg_bindir()
{
	local dir

	if [ -n "${PULP_PG_BINDIR:-}" ]; then
		echo "$PULP_PG_BINDIR"
		return
	fi
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
		if [ -x "$dir/postgres" ]; then
			echo "$dir"
			return
		fi
	done
	dirname "$(command -v postgres)"
}

# As the account that runs the server; replaces the current (sub)shell.
pg_exec()
{
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid="$pg_user" --regid="$(id -g "$pg_user")" --clear-groups --pdeathsig QUIT \
			env --default-signal "$@"
	fi
	exec setpriv --pdeathsig QUIT env --default-signal "$@"
}

# pg_start [SETTING=VALUE...]: makes a cluster, starts it with these settings and
# makes the database "pulp". With PULP_TEST_PG it has to be of that major version.
pg_start()
{
	pg_user=$(id -un)
	[ "$(id -u)" != 0 ] || pg_user=postgres
	pg_bin=$(pg_bindir) && [ -x "$pg_bin/postgres" ] || bail "no PostgreSQL server: apt-get install postgresql"
	pg_dir=$(mktemp -d /tmp/pulp-pg.XXXXXX) || bail "mktemp failed"
	chmod 755 "$pg_dir"
	[ "$(id -u)" != 0 ] || chown "$pg_user:" "$pg_dir"
	at_exit 'pg_stop immediate; rm -rf "$pg_dir"'
	(cd "$pg_dir" && pg_exec "$pg_bin/initdb" -D "$pg_dir/data" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 \
		--wal-segsize=4) >"$TEST_DIR/initdb.log" 2>&1 ||
		bail "initdb failed: $(tail -n 3 "$TEST_DIR/initdb.log")"
	[ "${PULP_TEST_PG:-any}" = any ] || grep -qx "$PULP_TEST_PG" "$pg_dir/data/PG_VERSION" ||
		bail "not PostgreSQL $PULP_TEST_PG: $(cat "$pg_dir/data/PG_VERSION")"
	export PGHOST=$pg_dir PGPORT=5432 PGUSER=postgres PGDATABASE=pulp
	export PULP_DATABASE="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"
	pg_start_again "$@"
	psql -XAtq -d postgres -c 'create database pulp' || bail "create database failed"
}

# pg_start_again [SETTING=VALUE...]: after pg_stop: the same cluster.
pg_start_again()
{
	local setting settings=()

	for setting in "$@"; do
		settings+=(-c "$setting")
	done
	(cd "$pg_dir" && pg_exec "$pg_bin/postgres" -D "$pg_dir/data" -k "$pg_dir" -c listen_addresses= \
		-c unix_socket_permissions=0777 -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
		-c dynamic_shared_memory_type=mmap -c shared_buffers=32MB -c max_connections=60 -c cluster_name=pulp-test \
		"${settings[@]}") </dev/null >>"$TEST_DIR/postgres.log" 2>&1 &
	pg_pid=$!
	# shellcheck disable=SC2034 # env.sh reads it
	test_running[pg_pid]=1
	wait_for "! alive $pg_pid || psql -XAtq -d postgres -c 'select 1'" 30
	alive "$pg_pid" || bail "PostgreSQL does not start: $(tail -n 3 "$TEST_DIR/postgres.log")"
}

# pg_stop [fast|smart|immediate|kill]: stops it and waits. "kill" is a crash: the
# postmaster alone gets SIGKILL.
pg_stop()
{
	local signal

	case ${1:-fast} in
	smart) signal=TERM ;;
	fast) signal=INT ;;
	immediate) signal=QUIT ;;
	kill) signal=KILL ;;
	esac
	[ -n "${pg_pid:-}" ] || return 0
	stop "$pg_pid" "$signal" 20 || stop "$pg_pid" KILL 5
	pg_pid=
}

# sql 'QUERY' [psql's ARG...]: bare rows, columns separated by |; stops at the
# first error. With "-" instead of a query it reads its input.
sql()
{
	local query=$1

	shift
	if [ "$query" = - ]; then
		psql -XAtq -v ON_ERROR_STOP=1 "$@" -f -
	else
		psql -XAtq -v ON_ERROR_STOP=1 "$@" -c "$query"
	fi
}

# pg_new_database NAME: makes an empty database in the same cluster and points
# PGDATABASE and PULP_DATABASE to it.
pg_new_database()
{
	psql -XAtq -d postgres -c "create database \"$1\"" || bail "create database failed"
	export PGDATABASE=$1
	export PULP_DATABASE="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$1"
}
