-- Cancel. A task that nobody has claimed is canceled at once, blocked or ready (but one that ran and has created resources
-- under an owner that is gone is left to the next); a claimed one becomes canceling and its owner ends it; a final one is unchanged. Tasks that it dispatched are not touched.

create or replace function pulp_worker.cancel_task(task_id uuid) returns text
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	now_state text;
	owner uuid;
begin
	-- the row lock makes reading and writing one step: no claim can come between (edge 10)
	select t.state, t.app_lock_id into now_state, owner from public.core_task t where t.pulp_id = task_id for no key update;
	if not found then
		raise 'there is no task %', task_id using errcode = 'P0002';
	end if;
	-- what it has noted as created is first to be looked at by a worker
	if (now_state = 'waiting' or now_state = 'canceling'
		and not exists (select from public.core_createdresource r where r.task_id = cancel_task.task_id))
	and owner is null then
		update public.core_task t set state = 'canceled', finished_at = clock_timestamp()
		where t.pulp_id = task_id and t.state in ('waiting', 'canceling') and t.app_lock_id is null;
		if now_state = 'canceling' then
			-- it may have run, under an owner that is gone
			update public.core_progressreport p set state = 'canceled', pulp_last_updated = clock_timestamp()
			where p.task_id = cancel_task.task_id and p.state = 'running';
		end if;
		perform pg_notify('pulp_worker_wakeup', 'unblock');
		return 'canceled';
	end if;
	if now_state in ('waiting', 'running') then
		update public.core_task t set state = 'canceling' where t.pulp_id = task_id and t.state in ('waiting', 'running');
		now_state := 'canceling';
	end if;
	if now_state = 'canceling' then
		if owner is null then
			perform pg_notify('pulp_worker_wakeup', 'unblock');
		else
			perform pg_notify('pulp_worker_cancel', task_id::text);
		end if;
	end if;
	return now_state;
end $$;

-- Sets all_tasks_dispatched and cancels each waiting or running member; returns how many.
create or replace function pulp_worker.cancel_task_group(task_group_id uuid) returns int
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	member uuid;
	canceled int := 0;
begin
	update public.core_taskgroup g set all_tasks_dispatched = true where g.pulp_id = task_group_id;
	if not found then
		raise 'there is no task group %', task_group_id using errcode = 'P0002';
	end if;
	-- in one order, so that two of these do not wait for each other in a circle
	for member in select t.pulp_id from public.core_task t
		where t.task_group_id = cancel_task_group.task_group_id and t.state in ('waiting', 'running') order by t.pulp_id
	loop
		if pulp_worker.cancel_task(member) in ('canceled', 'canceling') then
			canceled := canceled + 1;
		end if;
	end loop;
	return canceled;
end $$;
