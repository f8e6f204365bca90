// About: every change of what is known, the newest first, and what it brought.
// Parameters: none
// Rows: batch (integer), action (text), kind (text), source (text), target (integer: the batch that
//  a withdrawal is about), read, loaded, known, conflicts, quarantined (integers),
//  counts (boolean: a load that readers see), user (text), committed_at (text)
MATCH (one:Batch {state: 'committed'})
RETURN one.batch AS batch, one.action AS action, one.kind AS kind, one.source AS source,
  one.target AS target, one.read AS read, one.loaded AS loaded, one.known AS known,
  one.conflicts AS conflicts, one.quarantined AS quarantined, one.visible AS counts,
  one.user AS user, one.committed_at AS committed_at
ORDER BY one.position DESC
LIMIT 200
