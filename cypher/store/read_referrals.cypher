// About: referrals of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), referrer (list), referred (list),
//  at (list, nulls left out), step (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[fact:REFERRED]->(other)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS referrer,
  other.ix AS referred,
  fact.at AS at,
  fact.step AS step
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(referrer) AS referrer,
  collect(referred) AS referred,
  collect(at.epochSeconds * 1000000 + at.microsecond) AS at,
  collect(CASE WHEN at IS NOT NULL THEN seq END) AS at_seq,
  collect(step) AS step,
  collect(CASE WHEN step IS NOT NULL THEN seq END) AS step_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  referrer,
  referred,
  at,
  CASE WHEN size(at) < size(seq) THEN at_seq ELSE [] END AS at_seq,
  step,
  CASE WHEN size(step) < size(seq) THEN step_seq ELSE [] END AS step_seq
