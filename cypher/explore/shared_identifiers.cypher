// About: identifiers that two or more members of a group were seen with, and how many accounts are
//  seen with them in all (counted up to 1000).
// Parameters: group (text: a group of the current run)
// Rows: identifier_kind (text), digest (text: its beginning), members (list of text),
//  accounts (integer: all that were seen with it)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(member:Account)-[s:SEEN_WITH]->(shared:Identifier)
WHERE s.batch IN visible
  AND NOT EXISTS {
    MATCH ()-[later:SEEN_WITH {uid: s.uid}]->()
    WHERE later.revision > s.revision AND later.batch IN visible
  }
WITH visible, shared, collect(DISTINCT member.id) AS members
WHERE size(members) >= 2
RETURN shared.identifier_kind AS identifier_kind, left(shared.digest, 12) AS digest, members,
  COUNT {
    MATCH (shared)<-[o:SEEN_WITH]-(any:Account)
    WHERE o.batch IN visible
      AND NOT EXISTS {
        MATCH ()-[later:SEEN_WITH {uid: o.uid}]->()
        WHERE later.revision > o.revision AND later.batch IN visible
      }
    RETURN DISTINCT any LIMIT 1000
  } AS accounts
ORDER BY size(members) DESC, identifier_kind, digest
LIMIT 100
