// About: the accounts just outside a group: who deals with two or more of its members, or was seen
//  with an identifier of theirs that at most 12 accounts have, and yet does not belong to it.
// Parameters: group (text: a group of the current run)
// Rows: account (text), members (integer: that it is near to), by_transfers, by_identifiers
//  (integers: of these), deals_with (integer: accounts that it deals with in all, counted up to
//  1000: many mean a hub), in_groups (list of text: groups of the current run that have it)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
CALL (visible, found) {
  MATCH (found)-[:INCLUDES]->(member:Account)-[t:TRANSFERRED]-(other:Account)
  WHERE t.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
      WHERE later.revision > t.revision AND later.batch IN visible
    }
  RETURN other, member, 'transfers' AS tie
  UNION ALL
  MATCH (found)-[:INCLUDES]->(:Account)-[s:SEEN_WITH]->(shared:Identifier)
  WHERE s.batch IN visible
  WITH DISTINCT visible, found, shared
  WITH found, COLLECT {
    MATCH (shared)<-[o:SEEN_WITH]-(any:Account)
    WHERE o.batch IN visible
      AND NOT EXISTS {
        MATCH ()-[later:SEEN_WITH {uid: o.uid}]->()
        WHERE later.revision > o.revision AND later.batch IN visible
      }
    RETURN DISTINCT any LIMIT 13
  } AS seen
  WHERE size(seen) <= 12
  UNWIND seen AS member
  WITH found, seen, member
  WHERE EXISTS { (found)-[:INCLUDES]->(member) }
  UNWIND seen AS other
  RETURN other, member, 'identifiers' AS tie
}
WITH visible, found, other, count(DISTINCT member) AS members,
  count(DISTINCT CASE tie WHEN 'transfers' THEN member END) AS by_transfers,
  count(DISTINCT CASE tie WHEN 'identifiers' THEN member END) AS by_identifiers
WHERE (by_transfers >= 2 OR by_identifiers >= 1)
  AND NOT EXISTS { (found)-[:INCLUDES]->(other) }
WITH visible, other, members, by_transfers, by_identifiers
ORDER BY by_identifiers DESC, members DESC, other.id
LIMIT 100
RETURN other.id AS account, members, by_transfers, by_identifiers, COUNT {
  MATCH (other)-[o:TRANSFERRED]-(any:Account)
  WHERE o.batch IN visible AND any <> other
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: o.uid}]->()
      WHERE later.revision > o.revision AND later.batch IN visible
    }
  RETURN DISTINCT any LIMIT 1000
} AS deals_with, COLLECT {
  MATCH (:Store {single: 1})-[:CURRENT]->(:Run)-[:FOUND]->(elsewhere:Group)-[:INCLUDES]->(other)
  RETURN elsewhere.id ORDER BY elsewhere.id
} AS in_groups
ORDER BY by_identifiers DESC, members DESC, account
