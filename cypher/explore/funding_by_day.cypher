// About: who funds whom inside a group, day by day (UTC).
// Parameters: group (text: a group of the current run)
// Rows: day (date; null: transfers without a date), payer (text), payee (text),
//  transfers (integer), amount (float: sum)
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
RETURN date(t.at) AS day, payer.id AS payer, payee.id AS payee, count(*) AS transfers,
  round(sum(t.amount), 6) AS amount
ORDER BY day, amount DESC, payer, payee
LIMIT 1000
