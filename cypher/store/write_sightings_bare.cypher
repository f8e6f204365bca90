// About: writes sightings whose identifier lacks its kind or its digest: each has a node of its own.
// Parameters: batch (integer), seq (list of integer: places in the store), uid (list of text),
//  revision (list of integer), account (list of integer: ix), identifier_kind (list of text),
//  digest (list of text), at_s (list of integer: seconds since 1970),
//  at_us (list of integer: microseconds beside them), step (list of integer)
// Rows: none
UNWIND range(0, size($uid) - 1) AS i
MATCH (one:Account {ix: $account[i]})
CREATE (one)-[:SEEN_WITH {
  uid: $uid[i],
  revision: $revision[i],
  batch: $batch,
  seq: $seq[i],
  at: CASE
    WHEN $at_s[i] IS NOT NULL
    THEN datetime({epochSeconds: $at_s[i], nanosecond: 1000 * $at_us[i]})
  END,
  step: $step[i]
}]->(:Identifier {
  identifier_kind: $identifier_kind[i], digest: $digest[i]
})
