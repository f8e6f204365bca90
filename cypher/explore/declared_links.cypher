// About: what people declared about the members of a group: one owner, or unrelated.
// Parameters: group (text: a group of the current run)
// Rows: account (text: a member), other (text), verdict (text), inside (boolean: both are members),
//  by, why (texts), valid_from, valid_until (datetimes or null)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(account:Account)-[l:LINKED]-(other:Account)
WHERE l.batch IN visible
  AND NOT EXISTS {
    MATCH ()-[later:LINKED {uid: l.uid}]->()
    WHERE later.revision > l.revision AND later.batch IN visible
  }
WITH account, other, l, EXISTS { (found)-[:INCLUDES]->(other) } AS inside
WHERE NOT inside OR startNode(l) = account
RETURN account.id AS account, other.id AS other, l.verdict AS verdict, inside, l.by AS by,
  l.why AS why, l.valid_from AS valid_from, l.valid_until AS valid_until
ORDER BY inside DESC, account, other, valid_from
LIMIT 200
