-- Who is there: registration, heartbeat, and the clean-up after those that vanished.
-- All times are the database's.

-- A row of a process, and so of those that take tasks the type worker.
create or replace function pulp_worker.add_app_status(name text, time_to_live interval, versions public.hstore) returns uuid
language sql as $$
	insert into public.core_appstatus (pulp_id, pulp_created, pulp_last_updated, app_type, name, versions, ttl, last_heartbeat)
	values (pulp_worker.uuid7(), clock_timestamp(), clock_timestamp(), 'worker', add_app_status.name, add_app_status.versions,
		time_to_live, clock_timestamp())
	returning pulp_id
$$;

-- The versions of a worker's plugins as its row has them.
create or replace function pulp_worker.labelled(labels text[], versions text[]) returns public.hstore
language sql immutable as $$
	select case when labels = '{}' then ''::public.hstore else public.hstore(labels, versions) end
$$;

create or replace function pulp_worker.register_worker(worker_name text, time_to_live interval, host text, pid int, slots int,
	modules text[], labels text[], versions text[], version_keys text[]) returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	me constant uuid := pulp_worker.add_app_status(worker_name, time_to_live, pulp_worker.labelled(labels, versions));
begin
	insert into worker (id, name, host, pid, slots) values (me, worker_name, host, pid, slots);
	perform pulp_worker.set_worker_modules(me, modules, labels, versions, version_keys);
	return me;
end $$;

-- The plugins of a worker, at registration and after a reload; then also how many tasks it runs at once.
create or replace function pulp_worker.set_worker_modules(me uuid, modules text[], labels text[], versions text[], version_keys text[],
	slots int default null)
returns void
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	new_modules text[];
begin
	update public.core_appstatus set versions = pulp_worker.labelled(labels, set_worker_modules.versions)
	where pulp_id = me;
	update worker w set slots = set_worker_modules.slots where w.id = me and w.slots <> set_worker_modules.slots;
	delete from worker_module where worker = me;
	insert into worker_module (worker, module, label, version, version_key)
	select me, u.* from unnest(modules, labels, set_worker_modules.versions, version_keys) u;
	new_modules := array(select u from unnest(modules) u where (select true from module m where m.module = u) is not true);
	if new_modules <> '{}' and pulp_worker.live_pulp() then
		-- what is to be ended of this module was Python's until now
		insert into inbox (task) select t.pulp_id from public.core_task t
		where t.state in ('running', 'canceling') and t.app_lock_id is null and split_part(t.name, '.', 1) = any (new_modules);
	end if;
	insert into module (module, label) select u.* from unnest(modules, labels) u
	on conflict (module) do update set label = excluded.label where module.label <> excluded.label;
end $$;

-- False: the row is gone, somebody declared this worker dead.
create or replace function pulp_worker.heartbeat(me uuid) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
	with beat as (update public.core_appstatus set last_heartbeat = clock_timestamp() where pulp_id = me returning 1)
	select exists (select from beat)
$$;

-- Frees what these app status rows hold and deletes them; a row of which a task is locked by somebody's open transaction stays, for the next time.
create or replace function pulp_worker.remove_app_status(ids uuid[]) returns uuid[]
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	held uuid[];
	free uuid[];
	busy uuid[];
begin
	held := array(select pulp_id from public.core_task where app_lock_id = any (ids));
	free := array(select pulp_id from public.core_task where pulp_id = any (held) for no key update skip locked);
	update public.core_task set app_lock_id = null where pulp_id = any (free) and app_lock_id = any (ids);
	busy := array(select distinct app_lock_id from public.core_task where app_lock_id = any (ids));
	ids := array(select i from unnest(ids) i where i <> all (busy));
	delete from worker_module where worker = any (ids);
	delete from worker where id = any (ids);
	delete from public.core_appstatus where pulp_id = any (ids);
	if free <> '{}' then
		perform pg_notify('pulp_worker_wakeup', 'unblock');
		if pulp_worker.live_pulp() then	-- the pass of Python's workers does not look for running ones: edge 2
			perform pg_notify('pulp_worker_wakeup', 'handle');
		end if;
	end if;
	return ids;
end $$;

-- On exit. Returns false while a task of it could not be freed.
create or replace function pulp_worker.unregister_worker(me uuid) returns boolean
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	select cardinality(pulp_worker.remove_app_status(array[me])) = 1
$$;

-- Those whose heartbeat is older than their own ttl. One session of the installation at a time (lock 11); the others skip it.
create or replace function pulp_worker.app_worker_cleanup() returns table (id uuid, app_type text, name text)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	dead uuid[];
begin
	if not (select true from public.core_appstatus a where a.last_heartbeat < now() - a.ttl limit 1)
	or not pg_try_advisory_xact_lock(0, 11) then
		return;
	end if;
	dead := array(select a.pulp_id from public.core_appstatus a where a.last_heartbeat < now() - a.ttl for update skip locked);
	return query
		with gone as materialized (select a.pulp_id, a.app_type, a.name from public.core_appstatus a where a.pulp_id = any (dead)),
		removed as materialized (select pulp_worker.remove_app_status(dead) as ids)
		select g.pulp_id, g.app_type::text, g.name from gone g, removed where g.pulp_id = any (removed.ids);
end $$;
