// About: writes referrals; nulls are left out.
// Parameters: batch (integer), seq (list of integer: places in the store), uid (list of text),
//  revision (list of integer), referrer (list of integer: ix), referred (list of integer: ix),
//  at_s (list of integer: seconds since 1970), at_us (list of integer: microseconds beside them),
//  step (list of integer)
// Rows: none
UNWIND range(0, size($uid) - 1) AS i
MATCH (one:Account {ix: $referrer[i]})
MATCH (other:Account {ix: $referred[i]})
CREATE (one)-[:REFERRED {
  uid: $uid[i],
  revision: $revision[i],
  batch: $batch,
  seq: $seq[i],
  at: CASE
    WHEN $at_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $at_s[i], nanosecond: 1000 * $at_us[i]})
  END,
  step: $step[i]
}]->(other)
