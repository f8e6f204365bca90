// About: where purchases with one of these uids are, of any load and revision.
// Parameters: uid (list of text)
// Rows: uid (list), seq (list), revision (list), batch (list)
UNWIND $uid AS wanted
MATCH (fact:Purchase)
WHERE fact.uid = wanted AND fact.revision >= 1
RETURN collect(fact.uid) AS uid, collect(fact.seq) AS seq,
  collect(fact.revision) AS revision, collect(fact.batch) AS batch
