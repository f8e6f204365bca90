// About: makes a drafted run and its groups visible, with its JSON, as the current run.
// Parameters: run (text), created_at (datetime), as_of (datetime or null), known_at (integer or null),
//  seed (integer, text above 63 bits, or null), supply (text or null), lines (list of float),
//  groups (integer: how many), accounts (integer or null), result_sha256 (text or null),
//  settings_sha256 (text or null), pruned (boolean), summary (text: JSON),
//  result (text: JSON, or null when pruned), details (text: JSON, or null when pruned)
// Rows: number (integer: in the order of saving): none where there is no such draft
MATCH (run:Draft {key: $run})
MATCH (store:Store {single: 1})
SET store.next_run = coalesce(store.next_run, 1) + 1
SET run.number = store.next_run - 1, run.id = $run, run.created_at = $created_at,
  run.as_of = $as_of, run.known_at = $known_at, run.seed = $seed, run.supply = $supply,
  run.lines = $lines, run.groups = $groups, run.accounts = $accounts,
  run.result_sha256 = $result_sha256, run.settings_sha256 = $settings_sha256,
  run.pruned = $pruned
REMOVE run:Draft, run.key, run.run, run.until
SET run:Run
CREATE (run)-[:HAS_RESULT]->(:Result {summary: $summary, result: $result, details: $details})
CREATE (store)-[new:CURRENT]->(run)
WITH store, run, new
CALL (store, new) {
  MATCH (store)-[old:CURRENT]->(:Run)
  WHERE old <> new
  DELETE old
}
CALL (run) {
  MATCH (run)-[:FOUND]->(group:Draft)
  REMOVE group:Draft
  SET group:Group
}
RETURN run.number AS number
