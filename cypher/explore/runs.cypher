// About: the detections that this store remembers, the newest first, and which is the current one.
// Parameters: none
// Rows: run (text), current (boolean), detailed (boolean: its members are still here),
//  as_of, created_at (as saved), known_at (integer: batch), lines (list), groups (integer),
//  supply (text), result_sha256 (text)
MATCH (saved:Run)
RETURN saved.id AS run, EXISTS { (:Store {single: 1})-[:CURRENT]->(saved) } AS current,
  NOT coalesce(saved.pruned, false) AS detailed, saved.as_of AS as_of,
  saved.created_at AS created_at, saved.known_at AS known_at, saved.lines AS lines,
  saved.groups AS groups, saved.supply AS supply, saved.result_sha256 AS result_sha256
ORDER BY saved.number DESC
LIMIT 50
