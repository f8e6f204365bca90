// About: sightings of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), account (list),
//  identifier_kind (list, nulls left out), digest (list, nulls left out),
//  at (list, nulls left out), step (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[fact:SEEN_WITH]->(other)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS account,
  other.identifier_kind AS identifier_kind,
  other.digest AS digest,
  fact.at AS at,
  fact.step AS step
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(account) AS account,
  collect(identifier_kind) AS identifier_kind,
  collect(CASE WHEN identifier_kind IS NOT NULL THEN seq END) AS identifier_kind_seq,
  collect(digest) AS digest,
  collect(CASE WHEN digest IS NOT NULL THEN seq END) AS digest_seq,
  collect(at.epochSeconds * 1000000 + at.microsecond) AS at,
  collect(CASE WHEN at IS NOT NULL THEN seq END) AS at_seq,
  collect(step) AS step,
  collect(CASE WHEN step IS NOT NULL THEN seq END) AS step_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  account,
  identifier_kind,
  CASE WHEN size(identifier_kind) < size(seq) THEN identifier_kind_seq ELSE [] END AS identifier_kind_seq,
  digest,
  CASE WHEN size(digest) < size(seq) THEN digest_seq ELSE [] END AS digest_seq,
  at,
  CASE WHEN size(at) < size(seq) THEN at_seq ELSE [] END AS at_seq,
  step,
  CASE WHEN size(step) < size(seq) THEN step_seq ELSE [] END AS step_seq
