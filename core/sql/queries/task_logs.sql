-- What a task has said and printed, after a part.
select l.part, l.text from pulp_worker.log l where l.task = $1::uuid and l.part > $2::int order by l.part
