// About: accounts outside a group that deal with two or more of its members.
// Parameters: group (text: a group of the current run)
// Rows: account (text), members (integer: that it deals with), transfers (integer),
//  paid, received (floats: sums, as the outside account sees them)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(member:Account)-[t:TRANSFERRED]-(other:Account)
WHERE t.batch IN visible
  AND NOT EXISTS { (found)-[:INCLUDES]->(other) }
  AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }
WITH other, count(DISTINCT member) AS members, count(*) AS transfers,
  sum(CASE WHEN startNode(t) = other THEN t.amount ELSE 0.0 END) AS paid,
  sum(CASE WHEN startNode(t) = other THEN 0.0 ELSE t.amount END) AS received
WHERE members >= 2
RETURN other.id AS account, members, transfers, round(paid, 6) AS paid,
  round(received, 6) AS received
ORDER BY members DESC, transfers DESC, account
LIMIT 100
