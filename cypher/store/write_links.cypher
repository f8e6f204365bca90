// About: writes links; nulls are left out.
// Parameters: batch (integer), seq (list of integer: places in the store), uid (list of text),
//  revision (list of integer), a (list of integer: ix), b (list of integer: ix),
//  verdict (list of text), by (list of text), why (list of text),
//  valid_from_s (list of integer: seconds since 1970),
//  valid_from_us (list of integer: microseconds beside them),
//  valid_until_s (list of integer: seconds since 1970),
//  valid_until_us (list of integer: microseconds beside them)
// Rows: none
UNWIND range(0, size($uid) - 1) AS i
MATCH (one:Account {ix: $a[i]})
MATCH (other:Account {ix: $b[i]})
CREATE (one)-[:LINKED {
  uid: $uid[i],
  revision: $revision[i],
  batch: $batch,
  seq: $seq[i],
  verdict: $verdict[i],
  by: $by[i],
  why: $why[i],
  valid_from: CASE
    WHEN $valid_from_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $valid_from_s[i], nanosecond: 1000 * $valid_from_us[i]})
  END,
  valid_until: CASE
    WHEN $valid_until_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $valid_until_s[i], nanosecond: 1000 * $valid_until_us[i]})
  END
}]->(other)
