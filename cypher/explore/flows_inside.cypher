// About: the transfers inside a group, added up from member to member.
// Parameters: group (text: a group of the current run)
// Rows: payer (text), payee (text), transfers (integer), amount (float: sum), first_at, last_at
//  (datetimes)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(payer:Account)-[t:TRANSFERRED]->(payee:Account)<-[:INCLUDES]-(found)
WHERE t.batch IN visible
  AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }
RETURN payer.id AS payer, payee.id AS payee, count(*) AS transfers,
  round(sum(t.amount), 6) AS amount, min(t.at) AS first_at, max(t.at) AS last_at
ORDER BY amount DESC, payer, payee
LIMIT 500
