// About: money that comes back: rounds of two to four members, each transfer after the one before
//  and all within some hours (among the 5000 largest transfers inside the group).
// Parameters: group (text: a group of the current run), hours (integer: the longest that
//  a round may take)
// Rows: members (list of text), begun_at (datetime), took (duration), smallest (float: what can
//  have gone all the way round), accounts (list of nodes), transfers (list of relationships):
//  of the first 1000 rounds met, the 100 largest
// Example: :param group => 'd73645a0c1f2'
// Example: :param hours => 48
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(payer:Account)-[t:TRANSFERRED]->(payee:Account)<-[:INCLUDES]-(found)
WHERE t.at IS NOT NULL AND t.batch IN visible
  AND NOT EXISTS {
    MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
    WHERE later.revision > t.revision AND later.batch IN visible
  }
WITH payer, payee, t
ORDER BY t.amount DESC, t.uid
LIMIT 5000
WITH payer, collect({at: t.at, uid: t.uid, to: payee, fact: t}) AS steps
WITH collect({payer: payer, steps: steps}) AS sides
UNWIND sides AS side
UNWIND side.steps AS s1
WITH sides, side.payer AS a, s1, s1.to AS b, s1.at + duration({hours: $hours}) AS latest
CALL (sides, a, b, s1, latest) {
  UNWIND head([side IN sides WHERE side.payer = b]).steps AS s2
  WITH a, b, s1, s2, latest
  WHERE s1.at <= s2.at <= latest AND s2.to = a
    AND (s1.at < s2.at OR s1.uid < s2.uid)
  RETURN [a, b] AS accounts, [s1.fact, s2.fact] AS transfers
  UNION ALL
  UNWIND head([side IN sides WHERE side.payer = b]).steps AS s2
  WITH sides, a, b, s1, s2, latest
  WHERE s1.at <= s2.at <= latest AND s2.to <> a
  UNWIND head([side IN sides WHERE side.payer = s2.to]).steps AS s3
  WITH a, b, s1, s2, s3, latest
  WHERE s2.at <= s3.at <= latest AND s3.to = a
    AND (s1.at < s3.at OR s1.uid < s2.uid AND s1.uid < s3.uid)
  RETURN [a, b, s2.to] AS accounts, [s1.fact, s2.fact, s3.fact] AS transfers
  UNION ALL
  UNWIND head([side IN sides WHERE side.payer = b]).steps AS s2
  WITH sides, a, b, s1, s2, latest
  WHERE s1.at <= s2.at <= latest AND s2.to <> a
  UNWIND head([side IN sides WHERE side.payer = s2.to]).steps AS s3
  WITH sides, a, b, s1, s2, s3, latest
  WHERE s2.at <= s3.at <= latest AND s3.to <> a AND s3.to <> b
  UNWIND head([side IN sides WHERE side.payer = s3.to]).steps AS s4
  WITH a, b, s1, s2, s3, s4, latest
  WHERE s3.at <= s4.at <= latest AND s4.to = a
    AND (s1.at < s4.at OR s1.uid < s2.uid AND s1.uid < s3.uid AND s1.uid < s4.uid)
  RETURN [a, b, s2.to, s3.to] AS accounts, [s1.fact, s2.fact, s3.fact, s4.fact] AS transfers
}
WITH accounts, transfers
LIMIT 1000
RETURN [account IN accounts | account.id] AS members, transfers[0].at AS begun_at,
  duration.between(transfers[0].at, transfers[-1].at) AS took,
  reduce(least = transfers[0].amount, t IN transfers |
    CASE WHEN t.amount < least THEN t.amount ELSE least END) AS smallest,
  accounts, transfers
ORDER BY smallest DESC, begun_at
LIMIT 100
