-- The tasks whose ids lie between two: those that begin with the digits that somebody typed.
select pulp_id from public.core_task where pulp_id between $1::uuid and $2::uuid order by pulp_id limit 11
