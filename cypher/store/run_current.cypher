// About: numbers a run in the order of saving, and points to it as the current one.
// Parameters: run (text)
// Rows: number (integer)
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (run:Run {id: $run})
SET store.next_run = coalesce(store.next_run, 1) + 1, run.number = store.next_run - 1
REMOVE store.locked
CREATE (store)-[new:CURRENT]->(run)
WITH store, run, new
OPTIONAL MATCH (store)-[old:CURRENT]->(:Run)
WHERE old <> new
DELETE old
RETURN run.number AS number
