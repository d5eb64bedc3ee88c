-- What there is to say about a task that is not running: facts only; the program that asks
-- compares versions and puts them into words.

-- The workers of ours, each with its modules. (Guests also look at what the task demands: core/sql/guest/90_why.sql.)
create or replace function pulp_worker.why_workers(func text, versions jsonb) returns jsonb
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
begin
	return coalesce((select jsonb_agg(jsonb_build_object('name', w.name, 'slots', w.slots,
			'running', (select count(*) from public.core_task c where c.app_lock_id = w.id),
			'alive', a.last_heartbeat >= now() - a.ttl,
			'modules', coalesce((select jsonb_object_agg(m.module, jsonb_build_object('label', m.label, 'version', m.version))
				from worker_module m where m.worker = w.id), '{}')) order by w.name)
		from worker w join public.core_appstatus a on a.pulp_id = w.id), '[]');
end $$;

-- Of a task that is blocked: the first queue in which something conflicting stands before it. Null: there is none.
create or replace function pulp_worker.why_blocked(task_id uuid) returns jsonb
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	mine record;
	holder record;
	ahead bigint;
begin
	for mine in select r.* from reservation r where r.task = task_id loop
		select q.task, q.position, q.exclusive into holder from (
			(select q.task, q.position, q.exclusive from reservation q
			where q.resource = mine.resource and q.exclusive and q.position < mine.position order by q.position limit 1)
			union all
			(select q.task, q.position, q.exclusive from reservation q
			where mine.exclusive and q.resource = mine.resource and not q.exclusive and q.position < mine.position
			order by q.position limit 1)) q order by q.position limit 1;
		if found then
			select count(*) into ahead from (select 1 from reservation q
				where q.resource = mine.resource and q.position < mine.position and (q.exclusive or mine.exclusive) limit 100000) x;
			return jsonb_build_object('resource', (select case when n like 'shared:%' then substr(n, 8) else n end
					from public.core_task t, unnest(t.reserved_resources_record) n
					where hashtextextended(case when n like 'shared:%' then substr(n, 8) else n end, 0) = mine.resource and t.pulp_id = task_id limit 1),
				'exclusive', mine.exclusive, 'ahead', ahead,
				'holder', (select jsonb_build_object('pulp_id', h.pulp_id, 'name', h.name, 'state', h.state, 'exclusive', holder.exclusive)
					from public.core_task h where h.pulp_id = holder.task));
		end if;
	end loop;
	return null;
end $$;

create or replace function pulp_worker.why_facts(task_id uuid) returns jsonb
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	t record;
	facts jsonb;
begin
	select c.pulp_id, c.name, c.state, c.unblocked_at, c.app_lock_id, public.hstore_to_jsonb(c.versions) as versions into t
	from public.core_task c where c.pulp_id = task_id;
	if not found then
		return null;
	end if;
	facts := jsonb_build_object('state', t.state, 'name', t.name, 'module', split_part(t.name, '.', 1), 'versions', t.versions,
		'ready', t.unblocked_at is not null, 'owner', (select a.name from public.core_appstatus a where a.pulp_id = t.app_lock_id),
		'bad', (select b.why from bad b where b.task = task_id),
		'settled', t.unblocked_at is not null or exists (select from reservation r where r.task = task_id),
		'workers', pulp_worker.why_workers(t.name, t.versions));
	if t.state = 'waiting' and t.unblocked_at is null then
		facts := facts || coalesce(pulp_worker.why_blocked(task_id), '{}');
	end if;
	return facts;
end $$;
