// About: a shortest way that money took from one account to another, up to 6 transfers long
//  (whatever the order of their times).
// Parameters: account (text: from), other (text: to)
// Rows: path (path), transfers (integer)
// Example: :param account => 'alice'
// Example: :param other => 'bob'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
WITH visible, head(COLLECT { MATCH (one:Account {id: $account}) RETURN one }) AS one,
  head(COLLECT { MATCH (two:Account {id: $other}) RETURN two }) AS two
MATCH path = SHORTEST 1 (one)
  (()-[t:TRANSFERRED WHERE t.batch IN visible AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }]->()){1,6}
  (two)
RETURN path, length(path) AS transfers
LIMIT 1
