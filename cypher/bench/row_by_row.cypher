// About: every transfer as a row of its own, as a plain client reads them; looks at every transfer.
// Parameters: none
// Rows: uid (text), revision (integer), batch (integer), src (integer: ix), dst (integer: ix),
//  amount (float), exact (text), at (integer: microseconds since 1970), step (integer), kind (text)
MATCH (one)-[fact:TRANSFERRED]->(other)
RETURN
  fact.uid AS uid,
  fact.revision AS revision,
  fact.batch AS batch,
  one.ix AS src,
  other.ix AS dst,
  fact.amount AS amount,
  fact.exact AS exact,
  fact.at.epochSeconds * 1000000 + fact.at.microsecond AS at,
  fact.step AS step,
  fact.kind AS kind
