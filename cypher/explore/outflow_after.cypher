// About: what left a group after a time: to whom, how often, how much.
// Parameters: group (text: a group of the current run), since (datetime)
// Rows: payee (text: outside the group), transfers (integer), payers (integer: members), amount
//  (float: sum), first_at, last_at (datetimes)
// Example: :param group => 'd73645a0c1f2'
// Example: :param since => datetime('2026-05-01')
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(payer:Account)-[t:TRANSFERRED]->(payee:Account)
WHERE t.at >= $since AND t.batch IN visible
  AND NOT EXISTS { (found)-[:INCLUDES]->(payee) }
  AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }
RETURN payee.id AS payee, count(*) AS transfers, count(DISTINCT payer) AS payers,
  round(sum(t.amount), 6) AS amount, min(t.at) AS first_at, max(t.at) AS last_at
ORDER BY amount DESC, payee
LIMIT 200
