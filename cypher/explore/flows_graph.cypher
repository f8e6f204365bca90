// About: a group and its flows as a picture: the largest transfers between its members.
// Parameters: group (text: a group of the current run)
// Rows: payer (node), transfer (relationship), payee (node)
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
RETURN payer, t AS transfer, payee
ORDER BY t.amount DESC, t.uid
LIMIT 150
