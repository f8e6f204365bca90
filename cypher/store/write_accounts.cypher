// About: writes attributes of accounts; nulls are left out.
// Parameters: batch (integer), seq (list of integer: places in the store), uid (list of text),
//  revision (list of integer), account (list of integer: ix),
//  opened_at_s (list of integer: seconds since 1970),
//  opened_at_us (list of integer: microseconds beside them), role (list of text),
//  valid_from_s (list of integer: seconds since 1970),
//  valid_from_us (list of integer: microseconds beside them)
// Rows: none
UNWIND range(0, size($uid) - 1) AS i
MATCH (one:Account {ix: $account[i]})
CREATE (one)-[:DESCRIBED]->(:Attribute {
  uid: $uid[i],
  revision: $revision[i],
  batch: $batch,
  seq: $seq[i],
  opened_at: CASE
    WHEN $opened_at_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $opened_at_s[i], nanosecond: 1000 * $opened_at_us[i]})
  END,
  role: $role[i],
  valid_from: CASE
    WHEN $valid_from_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $valid_from_s[i], nanosecond: 1000 * $valid_from_us[i]})
  END
})
