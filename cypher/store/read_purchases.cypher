// About: purchases of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), account (list),
//  amount (list, nulls left out), exact (list, nulls left out), at (list, nulls left out),
//  step (list, nulls left out), receipt (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[:BOUGHT]->(fact:Purchase)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS account,
  fact.amount AS amount,
  fact.exact AS exact,
  fact.at AS at,
  fact.step AS step,
  fact.receipt AS receipt
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(account) AS account,
  collect(amount) AS amount,
  collect(CASE WHEN amount IS NOT NULL THEN seq END) AS amount_seq,
  collect(exact) AS exact,
  collect(CASE WHEN exact IS NOT NULL THEN seq END) AS exact_seq,
  collect(at.epochSeconds * 1000000 + at.microsecond) AS at,
  collect(CASE WHEN at IS NOT NULL THEN seq END) AS at_seq,
  collect(step) AS step,
  collect(CASE WHEN step IS NOT NULL THEN seq END) AS step_seq,
  collect(receipt) AS receipt,
  collect(CASE WHEN receipt IS NOT NULL THEN seq END) AS receipt_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  account,
  amount,
  CASE WHEN size(amount) < size(seq) THEN amount_seq ELSE [] END AS amount_seq,
  exact,
  CASE WHEN size(exact) < size(seq) THEN exact_seq ELSE [] END AS exact_seq,
  at,
  CASE WHEN size(at) < size(seq) THEN at_seq ELSE [] END AS at_seq,
  step,
  CASE WHEN size(step) < size(seq) THEN step_seq ELSE [] END AS step_seq,
  receipt,
  CASE WHEN size(receipt) < size(seq) THEN receipt_seq ELSE [] END AS receipt_seq
