// About: transfers of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), src (list), dst (list),
//  amount (list, nulls left out), exact (list, nulls left out), at (list, nulls left out),
//  step (list, nulls left out), kind (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[fact:TRANSFERRED]->(other)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS src,
  other.ix AS dst,
  fact.amount AS amount,
  fact.exact AS exact,
  fact.at AS at,
  fact.step AS step,
  fact.kind AS kind
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(src) AS src,
  collect(dst) AS dst,
  collect(amount) AS amount,
  collect(CASE WHEN amount IS NOT NULL THEN seq END) AS amount_seq,
  collect(exact) AS exact,
  collect(CASE WHEN exact IS NOT NULL THEN seq END) AS exact_seq,
  collect(at.epochSeconds * 1000000 + at.microsecond) AS at,
  collect(CASE WHEN at IS NOT NULL THEN seq END) AS at_seq,
  collect(step) AS step,
  collect(CASE WHEN step IS NOT NULL THEN seq END) AS step_seq,
  collect(kind) AS kind,
  collect(CASE WHEN kind IS NOT NULL THEN seq END) AS kind_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  src,
  dst,
  amount,
  CASE WHEN size(amount) < size(seq) THEN amount_seq ELSE [] END AS amount_seq,
  exact,
  CASE WHEN size(exact) < size(seq) THEN exact_seq ELSE [] END AS exact_seq,
  at,
  CASE WHEN size(at) < size(seq) THEN at_seq ELSE [] END AS at_seq,
  step,
  CASE WHEN size(step) < size(seq) THEN step_seq ELSE [] END AS step_seq,
  kind,
  CASE WHEN size(kind) < size(seq) THEN kind_seq ELSE [] END AS kind_seq
