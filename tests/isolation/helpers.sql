-- SPDX-License-Identifier: MIT
-- For the specs: workers and tasks with ids that can be told, and results by name.

create function wid(n int) returns uuid language sql immutable as $$
	select ('00000000-0000-0000-0000-0000000000' || lpad(n::text, 2, '0'))::uuid
$$;
create function id_of(n text) returns uuid language sql stable as $$
	select pulp_id from core_task where name = 't.' || n
$$;

create function worker(n int, age interval default '0') returns void language sql as $$
	insert into core_appstatus values (wid(n), now(), now(), 'worker', 'w' || n, '', '30 s', now() - age);
	insert into pulp_worker.worker values (wid(n), 'w' || n, 'host', n, 4);
$$;

-- Ids in the order of names, so that whoever goes by id goes by name.
create function task(n text, record text[], state text default 'waiting', owner int default null, grp uuid default null)
returns void language sql as $$
	insert into core_task (pulp_id, pulp_created, state, name, logging_cid, unblocked_at, started_at, app_lock_id, task_group_id,
		reserved_resources_record, pulp_domain_id, versions, immediate, deferred, pulp_api_version)
	select ('10000000-0000-0000-0000-0000000000' || to_hex(ascii(n)))::uuid, now(), state, 't.' || n, 'x', case when owner is not null then now() end,
		case when state = 'running' then now() end, wid(owner), grp, record, pulp_id, '', false, true, 'v3' from core_domain
$$;

-- A turn of worker W that serves everything; what it ended and claimed, by name.
create function turn(w int, slots int, ended text[] default '{}') returns table (kind text, task text, detail text) language sql as $$
	select t.kind, substr(c.name, 3), t.detail
	from (select array_agg(id) as served, array_agg(0::bigint) as floors from pulp_worker.requirement) r,
		(select coalesce(array_agg(id_of(n)), '{}') as ids, coalesce(array_agg('completed'::text), '{}') as states,
			coalesce(array_agg(null::text), '{}') as nulls, coalesce(array_agg(0), '{}') as zero,
			coalesce(array_agg(0::bigint), '{}') as zeros from unnest(ended) n) e,
		pulp_worker.turn(wid(w), slots, served, floors, 1000000, '{}', ids, states, nulls, nulls, states, zero, zeros, zeros,
			'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') with ordinality t
	left join core_task c on c.pulp_id = t.task where t.kind in ('ended', 'pass', 'claimed')
	order by t.ordinality
$$;

create view tasks as
	select substr(t.name, 3) as task, t.state, t.unblocked_at is not null as ready, a.name as owner
	from core_task t left join core_appstatus a on a.pulp_id = t.app_lock_id order by t.name;
