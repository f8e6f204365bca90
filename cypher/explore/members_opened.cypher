// About: when the accounts of a group were opened and what roles they have.
// Parameters: group (text: a group of the current run)
// Rows: account (text), opened_at (datetime or null), role (text or null), valid_from (datetime or
//  null), batch (integer)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(account:Account)-[:DESCRIBED]->(d:Attribute)
WHERE d.batch IN visible
  AND NOT EXISTS {
    MATCH (later:Attribute {uid: d.uid})
    WHERE later.revision > d.revision AND later.batch IN visible
  }
RETURN account.id AS account, d.opened_at AS opened_at, d.role AS role, d.valid_from AS valid_from,
  d.batch AS batch
ORDER BY opened_at, account, valid_from
LIMIT 500
