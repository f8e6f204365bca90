// About: links of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), a (list), b (list),
//  verdict (list, nulls left out), by (list, nulls left out), why (list, nulls left out),
//  valid_from (list, nulls left out), valid_until (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[fact:LINKED]->(other)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS a,
  other.ix AS b,
  fact.verdict AS verdict,
  fact.by AS by,
  fact.why AS why,
  fact.valid_from AS valid_from,
  fact.valid_until AS valid_until
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(a) AS a,
  collect(b) AS b,
  collect(verdict) AS verdict,
  collect(CASE WHEN verdict IS NOT NULL THEN seq END) AS verdict_seq,
  collect(by) AS by,
  collect(CASE WHEN by IS NOT NULL THEN seq END) AS by_seq,
  collect(why) AS why,
  collect(CASE WHEN why IS NOT NULL THEN seq END) AS why_seq,
  collect(valid_from.epochSeconds * 1000000 + valid_from.microsecond) AS valid_from,
  collect(CASE WHEN valid_from IS NOT NULL THEN seq END) AS valid_from_seq,
  collect(valid_until.epochSeconds * 1000000 + valid_until.microsecond) AS valid_until,
  collect(CASE WHEN valid_until IS NOT NULL THEN seq END) AS valid_until_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  a,
  b,
  verdict,
  CASE WHEN size(verdict) < size(seq) THEN verdict_seq ELSE [] END AS verdict_seq,
  by,
  CASE WHEN size(by) < size(seq) THEN by_seq ELSE [] END AS by_seq,
  why,
  CASE WHEN size(why) < size(seq) THEN why_seq ELSE [] END AS why_seq,
  valid_from,
  CASE WHEN size(valid_from) < size(seq) THEN valid_from_seq ELSE [] END AS valid_from_seq,
  valid_until,
  CASE WHEN size(valid_until) < size(seq) THEN valid_until_seq ELSE [] END AS valid_until_seq
