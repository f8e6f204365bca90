// About: links of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), a (list), b (list),
//  verdict (list, nulls left out), by (list, nulls left out), why (list, nulls left out),
//  valid_from (list, nulls left out), valid_until (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[fact:LINKED]->(other)
WHERE $low <= fact.seq < $high
WITH
  collect(fact.seq) AS seq,
  collect(fact.uid) AS uid,
  collect(fact.revision) AS revision,
  collect(fact.batch) AS batch,
  collect(one.ix) AS a,
  collect(other.ix) AS b,
  collect(fact.verdict) AS verdict,
  collect(CASE WHEN fact.verdict IS NOT NULL THEN fact.seq END) AS verdict_seq,
  collect(fact.by) AS by,
  collect(CASE WHEN fact.by IS NOT NULL THEN fact.seq END) AS by_seq,
  collect(fact.why) AS why,
  collect(CASE WHEN fact.why IS NOT NULL THEN fact.seq END) AS why_seq,
  collect(fact.valid_from.epochSeconds * 1000000 + fact.valid_from.microsecond) AS valid_from,
  collect(CASE WHEN fact.valid_from IS NOT NULL THEN fact.seq END) AS valid_from_seq,
  collect(fact.valid_until.epochSeconds * 1000000 + fact.valid_until.microsecond) AS valid_until,
  collect(CASE WHEN fact.valid_until IS NOT NULL THEN fact.seq END) AS valid_until_seq
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
