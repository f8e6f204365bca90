// About: holdings of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), account (list),
//  amount (list, nulls left out), exact (list, nulls left out), at (list, nulls left out),
//  step (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[:HELD]->(fact:Holding)
WHERE $low <= fact.seq < $high
WITH
  collect(fact.seq) AS seq,
  collect(fact.uid) AS uid,
  collect(fact.revision) AS revision,
  collect(fact.batch) AS batch,
  collect(one.ix) AS account,
  collect(fact.amount) AS amount,
  collect(CASE WHEN fact.amount IS NOT NULL THEN fact.seq END) AS amount_seq,
  collect(fact.exact) AS exact,
  collect(CASE WHEN fact.exact IS NOT NULL THEN fact.seq END) AS exact_seq,
  collect(fact.at.epochSeconds * 1000000 + fact.at.microsecond) AS at,
  collect(CASE WHEN fact.at IS NOT NULL THEN fact.seq END) AS at_seq,
  collect(fact.step) AS step,
  collect(CASE WHEN fact.step IS NOT NULL THEN fact.seq END) AS step_seq
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
  CASE WHEN size(step) < size(seq) THEN step_seq ELSE [] END AS step_seq
