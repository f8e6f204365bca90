// About: money that comes back: rounds of two to four members, each transfer after the one before
//  and all within some hours.
// Parameters: group (text: a group of the current run), hours (integer: the longest that
//  a round may take)
// Rows: members (list of text), begun_at (datetime), took (duration), smallest (float: what can
//  have gone all the way round), accounts (list of nodes), transfers (list of relationships)
// Example: :param group => 'd73645a0c1f2'
// Example: :param hours => 48
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(a:Account)-[t1:TRANSFERRED]->(b:Account)<-[:INCLUDES]-(found)
WHERE t1.batch IN visible
WITH visible, found, a, b, t1, t1.at + duration({hours: $hours}) AS latest
CALL (visible, found, a, b, t1, latest) {
  MATCH (b)-[t2:TRANSFERRED]->(a)
  WHERE t2.batch IN visible AND t1.at <= t2.at <= latest
    AND (t1.at < t2.at OR t1.uid < t2.uid)
  RETURN [a, b] AS accounts, [t1, t2] AS transfers
  UNION ALL
  MATCH (b)-[t2:TRANSFERRED]->(c:Account)-[t3:TRANSFERRED]->(a)
  WHERE t2.batch IN visible AND t1.at <= t2.at <= latest AND c <> b AND c <> a
    AND t3.batch IN visible AND t2.at <= t3.at <= latest
    AND EXISTS { (found)-[:INCLUDES]->(c) }
    AND (t1.at < t3.at OR t1.uid < t2.uid AND t1.uid < t3.uid)
  RETURN [a, b, c] AS accounts, [t1, t2, t3] AS transfers
  UNION ALL
  MATCH (b)-[t2:TRANSFERRED]->(c:Account)-[t3:TRANSFERRED]->(d:Account)-[t4:TRANSFERRED]->(a)
  WHERE t2.batch IN visible AND t1.at <= t2.at <= latest AND c <> b AND c <> a
    AND t3.batch IN visible AND t2.at <= t3.at <= latest AND d <> c AND d <> b AND d <> a
    AND t4.batch IN visible AND t3.at <= t4.at <= latest
    AND EXISTS { (found)-[:INCLUDES]->(c) } AND EXISTS { (found)-[:INCLUDES]->(d) }
    AND (t1.at < t4.at OR t1.uid < t2.uid AND t1.uid < t3.uid AND t1.uid < t4.uid)
  RETURN [a, b, c, d] AS accounts, [t1, t2, t3, t4] AS transfers
}
WITH visible, accounts, transfers
WHERE none(t IN transfers WHERE EXISTS {
  MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
  WHERE later.revision > t.revision AND later.batch IN visible
})
WITH accounts, transfers
LIMIT 1000
RETURN [account IN accounts | account.id] AS members, transfers[0].at AS begun_at,
  duration.between(transfers[0].at, transfers[-1].at) AS took,
  reduce(least = transfers[0].amount, t IN transfers |
    CASE WHEN t.amount < least THEN t.amount ELSE least END) AS smallest,
  accounts, transfers
ORDER BY smallest DESC, begun_at
LIMIT 100
