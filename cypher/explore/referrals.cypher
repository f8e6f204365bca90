// About: who referred the members of a group, and whom they referred.
// Parameters: group (text: a group of the current run)
// Rows: referral (path: referrer, referral, referred), inside (boolean: both are members),
//  at (datetime)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(member:Account)
MATCH referral = (member)-[r:REFERRED]-(other:Account)
WHERE r.batch IN visible
  AND NOT EXISTS {
    MATCH ()-[later:REFERRED {uid: r.uid}]->()
    WHERE later.revision > r.revision AND later.batch IN visible
  }
WITH referral, member, r, EXISTS { (found)-[:INCLUDES]->(other) } AS inside
WHERE NOT inside OR startNode(r) = member
RETURN referral, inside, r.at AS at
ORDER BY inside DESC, at, r.uid
LIMIT 200
