-- Says that no more tasks will come to this group.
select pulp_worker.finish_task_group($1::uuid)
