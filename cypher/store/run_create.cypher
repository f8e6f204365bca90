// About: a new run with its JSON; the nodes around it follow in the same transaction.
// Parameters: id (text), created_at (datetime), as_of (datetime or null), known_at (integer or null),
//  seed (integer, text above 63 bits, or null), supply (text or null), lines (list of float),
//  groups (integer: how many), accounts (integer or null), result_sha256 (text or null),
//  settings_sha256 (text or null), pruned (boolean), summary (text: JSON),
//  result (text: JSON, or null when pruned), details (text: JSON, or null when pruned)
// Rows: none
CREATE (:Run {
  id: $id, created_at: $created_at, as_of: $as_of, known_at: $known_at, seed: $seed,
  supply: $supply, lines: $lines, groups: $groups, accounts: $accounts,
  result_sha256: $result_sha256, settings_sha256: $settings_sha256, pruned: $pruned
})-[:HAS_RESULT]->(:Result {summary: $summary, result: $result, details: $details})
