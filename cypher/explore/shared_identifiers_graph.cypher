// About: a group as a picture of what its members share: devices, addresses, cards.
// Parameters: group (text: a group of the current run)
// Rows: account (node), sighting (relationship: one of those between the two), identifier (node)
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
WITH member, shared, head(collect(s)) AS sighting
WITH shared, collect({member: member, sighting: sighting}) AS seen
WHERE size(seen) >= 2
WITH shared, seen
ORDER BY size(seen) DESC, shared.identifier_kind, shared.digest
LIMIT 50
UNWIND seen AS one
RETURN one.member AS account, one.sighting AS sighting, shared AS identifier
LIMIT 300
