select kind, schedule, func, task, detail, cid from pulp_worker.dispatch_scheduled_tasks()
