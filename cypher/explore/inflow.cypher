// About: where a group's money came from: who outside paid its members.
// Parameters: group (text: a group of the current run)
// Rows: payer (text: outside the group), transfers (integer), payees (integer: members), amount
//  (float: sum), first_at, last_at (datetimes)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(payee:Account)<-[t:TRANSFERRED]-(payer:Account)
WHERE t.batch IN visible
  AND NOT EXISTS { (found)-[:INCLUDES]->(payer) }
  AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }
RETURN payer.id AS payer, count(*) AS transfers, count(DISTINCT payee) AS payees,
  round(sum(t.amount), 6) AS amount, min(t.at) AS first_at, max(t.at) AS last_at
ORDER BY amount DESC, payer
LIMIT 200
