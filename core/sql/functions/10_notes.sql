-- Notes: every change of core_task that can matter to readiness, whoever makes
-- it, leaves "look at this task" in the inbox. Settling reads the row's real
-- state, so a note too many costs a look and nothing else.
-- Security definer: a role that may write core_task needs no right on our schema.
-- No WHEN clauses: a trigger condition would bind Pulp's column types.

-- Once per dispatch: names every schema, operators too, instead of setting a search_path. An AFTER trigger, so that the
-- transaction has its xid before it draws a number: the low-water mark of the inbox counts on it.
create or replace function pulp_worker.note_insert() returns trigger
language plpgsql security definer as $$
begin
	insert into pulp_worker.inbox (task, size)
	values (new.pulp_id, 1 operator(pg_catalog.+) coalesce(pg_catalog.cardinality(new.reserved_resources_record), 0));
	return null;
end $$;

-- A finished task that is deleted held nothing any more: only what hangs on it goes.
create or replace function pulp_worker.note_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into pulp_worker.inbox (task, size)
	select pulp_id, 1 + coalesce(cardinality(reserved_resources_record), 0) from rows
	where state in ('waiting', 'running', 'canceling');
	delete from pulp_worker.log where task in (select pulp_id from rows);
	delete from pulp_worker.attempt where task in (select pulp_id from rows);
	delete from pulp_worker.request where task in (select pulp_id from rows);
	delete from pulp_worker.bad where task in (select pulp_id from rows);
	delete from pulp_worker.options where id in (select pulp_id from rows);
	return null;
end $$;

-- Three times in a task's life: as note_insert. What costs least and rules out most is asked first.
create or replace function pulp_worker.note_update() returns trigger
language plpgsql security definer as $$
declare
	open constant boolean := new.state operator(pg_catalog.=) any ('{waiting,running,canceling}');
	was_open constant boolean := old.state operator(pg_catalog.=) any ('{waiting,running,canceling}');
	same_record constant boolean := coalesce(new.reserved_resources_record operator(pg_catalog.=) old.reserved_resources_record,
		new.reserved_resources_record is null and old.reserved_resources_record is null);
begin
	if open and was_open and not same_record then
		insert into pulp_worker.grown (task) values (new.pulp_id);
	end if;
	if open operator(pg_catalog.<>) was_open
	or not same_record
	or open and (new.app_lock_id is null or new.unblocked_at is null) and (
		new.app_lock_id is null and (old.app_lock_id is not null or new.state operator(pg_catalog.<>) old.state
			or new.unblocked_at is not null and old.unblocked_at is null)
		or new.unblocked_at is null and (old.unblocked_at is not null or new.state operator(pg_catalog.<>) old.state))
	and pg_catalog.current_setting('pulp_worker.marking', true) operator(pg_catalog.=) 'on' is not true
	then
		insert into pulp_worker.inbox (task, size)
		values (new.pulp_id, 1 operator(pg_catalog.+) coalesce(pg_catalog.cardinality(new.reserved_resources_record), 0));
	end if;
	return null;
end $$;

create or replace function pulp_worker.forget_all() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	delete from pulp_worker.reservation;
	delete from pulp_worker.head;
	delete from pulp_worker.inbox;
	delete from pulp_worker.grown;
	delete from pulp_worker.wake;
	delete from pulp_worker.again;
	delete from pulp_worker.ready;
	delete from pulp_worker.log;
	delete from pulp_worker.attempt;
	delete from pulp_worker.request;
	delete from pulp_worker.bad;
	delete from pulp_worker.options where id not in (select pulp_id from public.core_taskschedule);
	return null;
end $$;

-- PostgreSQL 13 has no "create or replace trigger". To drop one locks readers out and asks for the table's owner, so there
-- one that stands as it should is left alone: spelled as pg_get_triggerdef does.
do $$
declare
	name text;
	made text;
begin
	for name, made in values
		('note_insert', 'AFTER INSERT ON public.core_task FOR EACH ROW EXECUTE FUNCTION pulp_worker.note_insert()'),
		('note_delete', 'AFTER DELETE ON public.core_task REFERENCING OLD TABLE AS rows FOR EACH STATEMENT'
			' EXECUTE FUNCTION pulp_worker.note_deleted()'),
		('note_update', 'AFTER UPDATE ON public.core_task FOR EACH ROW EXECUTE FUNCTION pulp_worker.note_update()'),
		('note_truncate', 'AFTER TRUNCATE ON public.core_task FOR EACH STATEMENT EXECUTE FUNCTION pulp_worker.forget_all()')
	loop
		made := format('TRIGGER pulp_worker_%s %s', name, made);
		if current_setting('server_version_num')::int >= 140000 then
			execute 'create or replace ' || made;
		elsif not exists (select from pg_trigger t where t.tgrelid = 'public.core_task'::regclass
			and t.tgenabled = 'O' and pg_get_triggerdef(t.oid) = 'CREATE ' || made) then
			execute format('drop trigger if exists pulp_worker_%s on public.core_task', name);
			execute 'create ' || made;
		end if;
	end loop;
end $$;

-- Notes everything anew: after installing, a restore, or work with triggers off. The
-- caller's transaction first does: lock table core_task in share row exclusive mode.
create or replace function pulp_worker.recheck() returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
	noted bigint;
	stale bigint;
begin
	perform pg_current_xact_id();
	insert into pulp_worker.inbox (task, size)
	select pulp_id, 1 + coalesce(cardinality(reserved_resources_record), 0) from public.core_task
	where state in ('waiting', 'running', 'canceling') order by pulp_created;
	get diagnostics noted = row_count;
	insert into pulp_worker.inbox (task)
	select task from (select task from pulp_worker.reservation union select task from pulp_worker.ready) r
	where not exists (select from public.core_task t where t.pulp_id = r.task
		and t.state in ('waiting', 'running', 'canceling'));
	get diagnostics stale = row_count;
	return noted + stale;
end $$;
