-- Cancels one task; the state after it.
select pulp_worker.cancel_task($1::uuid) as state
