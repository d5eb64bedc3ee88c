-- Writes them back, each only where it is what was read. $1 ids, $2 args, $3 kwargs, $4 and $5: what these were
with done as (
	update public.core_task t set enc_args = g.args::jsonb, enc_kwargs = g.kwargs::jsonb
	from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) g (id, args, kwargs, old_args, old_kwargs)
	where t.pulp_id = g.id and t.enc_args is not distinct from g.old_args::jsonb and t.enc_kwargs is not distinct from g.old_kwargs::jsonb
	returning t.pulp_id),
encrypted as (delete from pulp_worker.options o using done d where o.id = d.pulp_id)
select count(*) as count from done
