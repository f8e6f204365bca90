// About: the shortest chain of referrals between two accounts, in either direction, up to 8 long.
// Parameters: account (text), other (text)
// Rows: path (path), referrals (integer)
// Example: :param account => 'alice'
// Example: :param other => 'bob'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
WITH visible, head(COLLECT { MATCH (one:Account {id: $account}) RETURN one }) AS one,
  head(COLLECT { MATCH (two:Account {id: $other}) RETURN two }) AS two
MATCH path = SHORTEST 1 (one)
  (()-[r:REFERRED WHERE r.batch IN visible AND NOT EXISTS {
    MATCH ()-[later:REFERRED {uid: r.uid}]->()
    WHERE later.revision > r.revision AND later.batch IN visible
  }]-()){1,8}
  (two)
RETURN path, length(path) AS referrals
LIMIT 1
