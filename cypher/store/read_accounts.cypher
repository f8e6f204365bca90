// About: attributes of accounts of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), account (list),
//  opened_at (list, nulls left out), role (list, nulls left out),
//  valid_from (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[:DESCRIBED]->(fact:Attribute)
WHERE $low <= fact.seq < $high
WITH
  collect(fact.seq) AS seq,
  collect(fact.uid) AS uid,
  collect(fact.revision) AS revision,
  collect(fact.batch) AS batch,
  collect(one.ix) AS account,
  collect(fact.opened_at.epochSeconds * 1000000 + fact.opened_at.microsecond) AS opened_at,
  collect(CASE WHEN fact.opened_at IS NOT NULL THEN fact.seq END) AS opened_at_seq,
  collect(fact.role) AS role,
  collect(CASE WHEN fact.role IS NOT NULL THEN fact.seq END) AS role_seq,
  collect(fact.valid_from.epochSeconds * 1000000 + fact.valid_from.microsecond) AS valid_from,
  collect(CASE WHEN fact.valid_from IS NOT NULL THEN fact.seq END) AS valid_from_seq
RETURN
  seq,
  uid,
  revision,
  batch,
  account,
  opened_at,
  CASE WHEN size(opened_at) < size(seq) THEN opened_at_seq ELSE [] END AS opened_at_seq,
  role,
  CASE WHEN size(role) < size(seq) THEN role_seq ELSE [] END AS role_seq,
  valid_from,
  CASE WHEN size(valid_from) < size(seq) THEN valid_from_seq ELSE [] END AS valid_from_seq
