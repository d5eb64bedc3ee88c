-- Immediate tasks: run by who dispatches them, on his host, before dispatch returns. Whether one may run now is decided by
-- the same pass as everything else. Here its caller is its owner, under an app status row of his own.

-- The row of a caller: no worker of pulp_worker.worker, so nobody counts on it for other tasks.
create or replace function pulp_worker.register_caller(caller_name text, time_to_live interval, module text, label text, version text)
returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	me constant uuid := pulp_worker.add_app_status(caller_name, time_to_live, public.hstore(label, version));
begin
	insert into module (module, label) values (register_caller.module, register_caller.label) on conflict do nothing;
	return me;
end $$;

-- Whether the lock of the pass was had within a bounded time.
create or replace function pulp_worker.take_turn() returns boolean
language plpgsql set lock_timeout = '500ms' as $$
begin
	perform pg_advisory_xact_lock(0, 84);
	return true;
exception when lock_not_available then
	return false;
end $$;

/*
 * Settles, and says what becomes of an immediate task of mine:
 *   run        it is running now, and mine
 *   again      its note is not settled yet, or somebody holds its row: ask again (never if LAST)
 *   deferred   it waits for a resource, left to the workers
 *   canceled   it would have to wait, and may not be deferred
 *   canceling  somebody canceled it: mine to end
 *   lost       it is not mine any more
 */
create or replace function pulp_worker.decide_immediate(me uuid, task_id uuid, last boolean) returns text
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off as $$
declare
	t record;
	listed int;
begin
	if pulp_worker.take_turn() then
		select p.listed into listed from pulp_worker.pass(1000) p;
		if listed > 0 then
			perform pg_notify('pulp_worker_wakeup', 'handle');
		end if;
	end if;
	select c.state, c.unblocked_at, c.app_lock_id, c.deferred into t
	from public.core_task c where c.pulp_id = task_id for no key update skip locked;
	if not found then
		return case when (select true from public.core_task c where c.pulp_id = task_id and c.app_lock_id = me) then 'again' else 'lost' end;
	end if;
	if t.app_lock_id is distinct from me or t.state not in ('waiting', 'canceling') then
		return 'lost';
	end if;
	if t.state = 'canceling' then
		return 'canceling';
	end if;
	if t.unblocked_at is not null then
		update public.core_task set state = 'running', started_at = clock_timestamp() where pulp_id = task_id;
		return 'run';
	end if;
	if not last and (select true from reservation r where r.task = task_id limit 1) is not true then
		return 'again';
	end if;
	if t.deferred is not false then
		update public.core_task set app_lock_id = null where pulp_id = task_id;
	else
		update public.core_task set state = 'canceled', app_lock_id = null, finished_at = clock_timestamp(),
			error = '{"reason": "Resources temporarily unavailable."}' where pulp_id = task_id;
	end if;
	perform pg_notify('pulp_worker_wakeup', 'unblock');
	return case when t.deferred is not false then 'deferred' else 'canceled' end;
end $$;
