// About: attributes of accounts of a range of places, packed into one row of lists; times in microseconds.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: seq (list), uid (list), revision (list), batch (list), account (list),
//  opened_at (list, nulls left out), role (list, nulls left out),
//  valid_from (list, nulls left out),
//  and for each of the latter, where some are null, <name>_seq (list: the places of the others)
MATCH (one)-[:DESCRIBED]->(fact:Attribute)
WHERE $low <= fact.seq < $high
WITH
  fact.seq AS seq,
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS account,
  fact.opened_at AS opened_at,
  fact.role AS role,
  fact.valid_from AS valid_from
WITH
  collect(seq) AS seq,
  collect(uid) AS uid,
  collect(revision) AS revision,
  collect(batch) AS batch,
  collect(account) AS account,
  collect(opened_at.epochSeconds * 1000000 + opened_at.microsecond) AS opened_at,
  collect(CASE WHEN opened_at IS NOT NULL THEN seq END) AS opened_at_seq,
  collect(role) AS role,
  collect(CASE WHEN role IS NOT NULL THEN seq END) AS role_seq,
  collect(valid_from.epochSeconds * 1000000 + valid_from.microsecond) AS valid_from,
  collect(CASE WHEN valid_from IS NOT NULL THEN seq END) AS valid_from_seq
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
