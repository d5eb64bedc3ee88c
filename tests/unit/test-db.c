/* SPDX-License-Identifier: MIT */
/* The connection: both ways of running statements, notifications, and every way of losing it. */

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/conn.h"
#include "lib/pgdb.h"
#include "lib/tap.h"

#define SOON (pw_now_ns() + 20 * PW_SEC)

static void
test_session(void)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "client_encoding", "UTF8" }, { "default_transaction_isolation", "read committed" }, { "TimeZone", "UTC" },
		{ "idle_in_transaction_session_timeout", "1min" }, { "application_name", "test" }, { "jit", "off" },
		{ "search_path", "\"$user\", public" },
	};
	struct pw_db *db = pgdb_connect(pg_conninfo);
	struct pw_err err;
	char sql[100];

	for (size_t i = 0; i < PW_COUNT(rows); i++) {
		snprintf(sql, sizeof(sql), "show %s", rows[i].name);
		is_str(pgdb_value(db, sql), rows[i].want, "%s", rows[i].name);
	}
	is_str(pgdb_value(db, "select '2026-01-02 03:04:05+01'::timestamptz::text"), "2026-01-02 02:04:05+00", "DateStyle and TimeZone");
	is_int(pw_db_connect_timeout_ns(db), 10 * PW_SEC, "the default connect_timeout");
	db = pw_db_close(db);
	if (pw_db_connect("", "t", &db, &err) == 0)
		db = pw_db_close(db);
	setenv("PGHOST", pg_dir, 1);
	setenv("PGUSER", "postgres", 1);
	setenv("PGCONNECT_TIMEOUT", "7", 1);
	is_int(pw_db_connect("", "t", &db, &err), 0, "libpq's environment");
	is_int(pw_db_connect_timeout_ns(db), 7 * PW_SEC, "its connect_timeout");
	db = pw_db_close(db);
	is_int(pw_db_connect("dbname=postgres connect_timeout=3 application_name=mine", "t", &db, &err), 0, "the string adds to it");
	is_int(pw_db_connect_timeout_ns(db), 3 * PW_SEC, "and goes before");
	is_str(pgdb_value(db, "show application_name"), "mine", "for the application's name too");
	db = pw_db_close(db);
	unsetenv("PGHOST");
	unsetenv("PGUSER");
	unsetenv("PGCONNECT_TIMEOUT");
	ok(pw_db_connect("dbname=nosuch user=postgres host=/tmp", "t", &db, &err) < 0, "%s", err.text);
	snprintf(sql, sizeof(sql), "host=%s user=postgres dbname=nosuch", pg_dir);
	ok(pw_db_connect(sql, "t", &db, &err) < 0 && err.kind == PW_ERR_DB_LOST && strstr(err.text, "\"nosuch\" does not exist"), "%s", err.text);
}

static void
test_exec(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo);
	pw_auto_result *result = NULL;
	struct pw_err err = { 0 };

	is_int(pw_db_exec(db, "select $1::int + $2::int, $3::text", PW_DB_PARAMS("2", "3", NULL), SOON, &result, &err), 0, "a statement");
	is_str(PQgetvalue(result, 0, 0), "5", "its answer");
	ok(PQgetisnull(result, 0, 1), "NULL goes in and out");
	is_int(pw_db_exec(db, "select 1/0", NULL, SOON, NULL, &err), -1, "an error");
	ok(err.kind == PW_ERR_DB && strcmp(err.sqlstate, "22012") == 0 && strcmp(err.text, "division by zero") == 0, "%s %s", err.sqlstate, err.text);
	is_int(pw_db_exec(db, "select 1; select 2", NULL, SOON, NULL, &err), -1, "one statement only: %s", err.text);
	is_int(pw_db_script(db, "create temp table t (a int primary key); insert into t values (1); insert into t values (2)", SOON, &err), 0, "a script");
	is_str(pgdb_value(db, "select count(*) from t"), "2", "was run");
	is_int(pw_db_script(db, "insert into t values (3); insert into t values (1); insert into t values (4)", SOON, &err), -1, "a script that fails");
	ok(strcmp(err.sqlstate, "23505") == 0 && strstr(err.text, "Key (a)=(1) already exists"), "with its detail: %s", err.text);
	is_str(pgdb_value(db, "select count(*) from t"), "2", "changed nothing");
	is_int(pw_db_exec(db, "copy t from stdin", NULL, SOON, NULL, &err), -1, "COPY is refused: %s", err.text);
	db = pw_db_close(db);
}

static void
test_timeout(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo);
	struct pw_err err = { 0 };
	int64_t start = pw_now_ns();

	is_int(pw_db_exec(db, "select pg_sleep(30)", NULL, start + 100 * PW_MS, NULL, &err), -1, "a late answer");
	is_int(err.kind, PW_ERR_TIMEOUT, "%s", err.text);
	ok(pw_now_ns() - start < 10 * PW_SEC, "was not waited for");
	is_int(pw_db_state(db), PW_DB_LOST, "the connection is unusable");
	err = (struct pw_err){ 0 };
	ok(pw_db_exec(db, "select 1", NULL, SOON, NULL, &err) < 0 && err.kind == PW_ERR_TIMEOUT, "and says so");
	pw_db_close(db);
}

static void
test_wait(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo), *other = pgdb_connect(pg_conninfo);
	struct pw_err err = { 0 };
	PGnotify *note;

	is_str(pgdb_value(db, "listen pulp"), "no row", "listen");
	is_int(pw_db_wait(db, pw_now_ns() + 10 * PW_MS, &err), 0, "nothing yet");
	is_str(pgdb_value(other, "notify pulp, 'x'"), "no row", "notify");
	is_int(pw_db_wait(db, SOON, &err), 1, "something came");
	note = pw_db_notification(db);
	is_str(note ? note->extra : NULL, "x", "the notification");
	PQfreemem(note);
	ok(!pw_db_notification(db), "one only");
	pgdb_value(other, "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'");
	is_int(pw_db_wait(db, SOON, &err), 1, "something came"); /* the news, then the end of the connection */
	while (pw_db_wait(db, SOON, &err) > 0)
		;
	ok(err.kind == PW_ERR_DB_LOST && strcmp(err.sqlstate, "57P01") == 0 && strstr(err.text, "terminating connection due to administrator command"),
	   "the reason for the loss: %s", err.text);
	pw_db_close(db);
	pw_db_close(other);
}

static void
test_wrap(void)
{
	PGconn *conn = PQconnectdb(pg_conninfo);
	struct pw_db *db = NULL;
	struct pw_err err = { 0 };

	PQclear(PQexec(conn, "begin; create table wrapped ()"));
	is_int(pw_db_wrap(conn, &db, &err), 0, "a wrapped connection");
	is_str(pgdb_value(db, "select count(*) from wrapped"), "0", "is in its owner's transaction");
	db = pw_db_close(db);
	is_int(PQtransactionStatus(conn), PQTRANS_INTRANS, "and stays open");
	ok(!PQisnonblocking(conn), "and blocking");
	PQsendQuery(conn, "select 1");
	ok(pw_db_wrap(conn, &db, &err) < 0 && err.kind == PW_ERR_INPUT, "%s", err.text);
	PQfinish(conn);
}

/* --- by events --- */

struct answers {
	struct pw_db *db;
	int count, errors, again;
	char last[128];
	struct pw_err err;
};

static void
answered(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct answers *answers = arg;
	struct pw_err send_err;

	answers->count++;
	if (err) {
		answers->errors++;
		answers->err = *err;
		return;
	}
	snprintf(answers->last, sizeof(answers->last), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	if (answers->again-- > 0 && pw_db_send(answers->db, "select 'again'", NULL, answered, answers, &send_err) < 0)
		bail("%s", send_err.text);
}

/* Drives it until it is in STATE or lost, as an event loop would. 0 when the deadline passed. */
static int
drive(struct pw_db *db, enum pw_db_state state, struct pw_err *err)
{
	int64_t deadline = SOON;

	while (pw_db_state(db) != state && pw_db_state(db) != PW_DB_LOST) {
		int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		struct epoll_event event = { 0 };
		uint32_t wants = 0;
		int fd = pw_db_socket(db, &wants), n;

		event.events = wants;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			bail("epoll_ctl: %s", strerror(errno));
		n = epoll_wait(epoll_fd, &event, 1, pw_ms_until(deadline));
		close(epoll_fd);
		if (n == 0)
			return 0;
		if (pw_db_poll(db, err) < 0)
			break;
	}
	return 1;
}

static struct pw_db *
connect_by_events(void)
{
	struct pw_db *db = NULL;
	struct pw_err err = { 0 };

	if (pw_db_connect_start(pg_conninfo, "test-db-events", &db, &err) < 0 || !drive(db, PW_DB_IDLE, &err) || pw_db_state(db) != PW_DB_IDLE)
		bail("%s", err.text);
	return db;
}

static void
test_events(void)
{
	struct pw_db *db = connect_by_events();
	struct answers answers = { .db = db, .again = 2 };
	struct pw_err err = { 0 };
	char *big = malloc((8 << 20) + 1);

	memset(big, 'x', 8 << 20);
	big[8 << 20] = '\0';
	is_int(pw_db_send(db, "show application_name", NULL, answered, &answers, &err), 0, "a statement is sent");
	ok(pw_db_send(db, "select 1", NULL, answered, &answers, &err) < 0 && err.kind == PW_ERR_BUG, "a second is not: %s", err.text);
	ok(drive(db, PW_DB_IDLE, &err) && pw_db_state(db) == PW_DB_IDLE, "until it is idle");
	is_int(answers.count, 3, "answered, and those sent from the callback too");
	is_str(answers.last, "again", "in order");
	answers = (struct answers){ .db = db };
	is_int(pw_db_send(db, "select length($1)", PW_DB_PARAMS(big), answered, &answers, &err), 0, "more than a socket takes");
	ok(drive(db, PW_DB_IDLE, &err), "goes piece by piece");
	is_str(answers.last, "8388608", "all of it");
	is_int(pw_db_send(db, "select nonsense", NULL, answered, &answers, &err), 0, "a bad statement is sent");
	ok(drive(db, PW_DB_IDLE, &err) && answers.errors == 1 && answers.err.kind == PW_ERR_DB, "and answered: %s", answers.err.text);
	is_int(pw_db_state(db), PW_DB_IDLE, "the connection is fine");
	free(big);
	pw_db_close(db);
}

static void
test_lost_busy(void)
{
	struct pw_db *db = connect_by_events(), *other = pgdb_connect(pg_conninfo);
	struct answers answers = { .db = db };
	struct pw_err err = { 0 };

	if (pw_db_send(db, "select pg_sleep(30)", NULL, answered, &answers, &err) < 0)
		bail("%s", err.text);
	is_str(pgdb_value(other, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test-db-events'"), "t", "terminated");
	ok(drive(db, PW_DB_IDLE, &err) && pw_db_state(db) == PW_DB_LOST, "lost while busy");
	ok(answers.count == 1 && answers.err.kind == PW_ERR_DB_LOST && strcmp(answers.err.sqlstate, "57P01") == 0, "the callback came once: %s", answers.err.text);
	is_str(err.text, answers.err.text, "the same error");
	is_str(pw_db_error(db)->text, err.text, "is kept");
	is_int(pw_db_socket(db, &(uint32_t){ 0 }), -1, "there is nothing to watch");
	ok(pw_db_poll(db, &err) < 0 && pw_db_send(db, "select 1", NULL, answered, &answers, &err) < 0, "nothing goes any more");
	is_int(answers.count, 1, "and nobody is called");
	pw_db_close(db);
	pw_db_close(other);
}

/* A server that listens, says what it is told and hangs up, or says nothing. */
static int
fake_server(const char *dir, char *conninfo, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5433", dir);
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0)
		bail("%s: %s", address.sun_path, strerror(errno));
	snprintf(conninfo, size, "host=%s port=5433 connect_timeout=2", dir);
	return fd;
}

static void
test_fake_server(void)
{
	static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n", hello[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";
	char dir[] = "/tmp/test-db-XXXXXX", conninfo[100], path[60];
	struct pw_db *db = NULL;
	struct pw_err err = { 0 };
	int server, peer;
	int64_t start;

	if (!mkdtemp(dir))
		bail("%s", strerror(errno));
	server = fake_server(dir, conninfo, sizeof(conninfo));
	start = pw_now_ns();
	ok(pw_db_connect(conninfo, "t", &db, &err) < 0 && err.kind == PW_ERR_DB_LOST && strstr(err.text, "timeout"), "a mute server: %s", err.text);
	ok(pw_now_ns() - start < 8 * PW_SEC, "connect_timeout holds");
	close(accept(server, NULL, NULL));
	if (pw_db_connect_start(conninfo, "t", &db, &err) < 0)
		bail("%s", err.text);
	peer = accept(server, NULL, NULL);
	if (write(peer, garbage, strlen(garbage)) < 0)
		bail("write: %s", strerror(errno));
	close(peer);
	ok(drive(db, PW_DB_IDLE, &err) && pw_db_state(db) == PW_DB_LOST && err.kind == PW_ERR_DB_LOST, "not PostgreSQL at all: %s", err.text);
	db = pw_db_close(db);
	if (pw_db_connect_start(conninfo, "t", &db, &err) < 0)
		bail("%s", err.text);
	peer = accept(server, NULL, NULL);
	if (write(peer, hello, sizeof(hello) - 1) < 0)
		bail("write: %s", strerror(errno));
	shutdown(peer, SHUT_WR);
	ok(drive(db, PW_DB_IDLE, &err) && pw_db_state(db) == PW_DB_LOST && !strstr(err.text, "invalid socket"),
	   "hangs up while the session is set up: %s", err.text);
	close(peer);
	db = pw_db_close(db);
	close(server);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5433", dir);
	unlink(path);
	is_int(rmdir(dir), 0, "nothing is left");
}

/* As drive, but with one epoll for all the time, as a real loop has. */
static int
drive_registered(struct pw_db *db, struct pw_err *err)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), n = 1;
	int64_t deadline = SOON;
	unsigned serial = 0;

	while (n > 0 && pw_db_state(db) == PW_DB_CONNECTING) {
		uint32_t wants = 0;
		int fd = pw_db_socket(db, &wants);
		struct epoll_event event = { .events = wants };

		if (epoll_ctl(epoll_fd,
			      serial == pw_db_socket_serial(db) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
			      &event) < 0)
			bail("epoll_ctl: %s", strerror(errno));
		serial = pw_db_socket_serial(db);
		n = epoll_wait(epoll_fd, &event, 1, pw_ms_until(deadline));
		if (n > 0 && pw_db_poll(db, err) < 0)
			break;
	}
	close(epoll_fd);
	return n > 0;
}

/* A server that promises TLS and does not keep it, then says hello without and hangs up. */
static void
no_tls(int server)
{
	static const char hello[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";
	char text[1024];
	int peer = accept(server, NULL, NULL);

	if (read(peer, text, sizeof(text)) != 8 || write(peer, "S", 1) < 0 ||
	    read(peer, text, sizeof(text)) <= 0 || write(peer, "nonsense, and more of it", 24) < 0)
		_exit(1);
	while (read(peer, text, sizeof(text)) > 0)
		;
	close(peer);
	peer = accept(server, NULL, NULL);
	if (read(peer, text, sizeof(text)) <= 8 || write(peer, hello, sizeof(hello) - 1) < 0)
		_exit(2);
	shutdown(peer, SHUT_WR);
	while (read(peer, text, sizeof(text)) > 0)
		;
	_exit(0);
}

static void
test_socket_changes(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	struct pw_err err = { 0 };
	struct pw_db *db = NULL;
	char conninfo[100];
	pid_t pid;

	if (bind(server, (struct sockaddr *)&address, len) < 0 || listen(server, 5) < 0 ||
	    getsockname(server, (struct sockaddr *)&address, &len) < 0)
		bail("listen: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		no_tls(server);
	close(server);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d sslmode=prefer gssencmode=disable", ntohs(address.sin_port));
	if (pw_db_connect_start(conninfo, "t", &db, &err) < 0)
		bail("%s", err.text);
	ok(drive_registered(db, &err) && pw_db_state(db) == PW_DB_LOST, "a socket that changes is followed: %s", err.text);
	ok(pw_db_socket_serial(db) > 1, "there were several");
	pw_db_close(db);
	alarm(60); /* the server waits for both */
	waitpid(pid, &status, 0);
	alarm(0);
	is_int(status, 0, "the server saw both");
}

static void
test_server_gone(void)
{
	struct pw_db *idle = connect_by_events(), *busy = pgdb_connect(pg_conninfo);
	struct pw_err err = { 0 };

	pg_kill(SIGQUIT);
	while (pw_db_poll(idle, &err) == 0)
		if (!pw_db_wait(idle, SOON, &err))
			break;
	ok(err.kind == PW_ERR_DB_LOST && pw_db_state(idle) == PW_DB_LOST, "the server is gone, found while idle: %s", err.text);
	ok(pw_db_exec(busy, "select 1", NULL, SOON, NULL, &err) < 0 && err.kind == PW_ERR_DB_LOST, "and by a statement: %s", err.text);
	pw_db_close(idle);
	pw_db_close(busy);
}

static const char often[] = "select $1::int + count(*) from pg_prepared_statements";

static void
test_prepare_by_events(void)
{
	struct pw_db *db = connect_by_events();
	struct answers answers = { .db = db };
	struct pw_err err = { 0 };

	is_int(pw_db_send_prepare(db, often, answered, &answers, &err), 0, "a statement is prepared");
	ok(drive(db, PW_DB_IDLE, &err) && answers.count == 1 && !answers.errors, "the answer to that");
	is_int(pw_db_send(db, often, PW_DB_PARAMS("7"), answered, &answers, &err), 0, "and said");
	ok(drive(db, PW_DB_IDLE, &err) && answers.count == 2, "is answered");
	is_str(answers.last, "8", "as the one that is prepared");
	is_str(pgdb_value(db, "deallocate all"), "no row", "the session loses it");
	ok(pw_db_send(db, often, PW_DB_PARAMS("7"), answered, &answers, &err) == 0 && drive(db, PW_DB_IDLE, &err), "said once more");
	ok(answers.errors == 1 && strcmp(answers.err.sqlstate, "26000") == 0, "it fails: %s", answers.err.text);
	ok(pw_db_send(db, often, PW_DB_PARAMS("7"), answered, &answers, &err) == 0 && drive(db, PW_DB_IDLE, &err), "and again");
	is_str(answers.last, "7", "it is said as any other");
	answers.errors = 0;
	is_int(pw_db_send_prepare(db, "select nonsense", answered, &answers, &err), 0, "one that cannot be prepared");
	ok(drive(db, PW_DB_IDLE, &err) && answers.errors == 1 && strcmp(answers.err.sqlstate, "42703") == 0, "%s", answers.err.text);
	is_int(pw_db_send(db, "select nonsense", PW_DB_PARAMS("7"), answered, &answers, &err), 0, "is said as any other");
	ok(drive(db, PW_DB_IDLE, &err) && answers.errors == 2, "%s", answers.err.text);
	pw_db_close(db);
}

int
main(void)
{
	const char *why;

	test_fake_server();
	test_socket_changes();
	why = pg_start();
	if (why) {
		skip(why, "everything with a server");
		return tap_done();
	}
	test_session();
	test_exec();
	test_timeout();
	test_wait();
	test_wrap();
	test_events();
	test_prepare_by_events();
	test_lost_busy();
	test_server_gone();
	pg_stop();
	return tap_done();
}
