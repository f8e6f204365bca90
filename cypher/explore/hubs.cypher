// About: hubs that are no evidence: what many members of a group have in common with a crowd, an
//  office network or a merchant.
// Parameters: group (text: a group of the current run), many (integer: from how many
//  accounts on it is a hub; at most 1000 are counted)
// Rows: hub (text: identifier or account), kind (text: of the identifier, or the account's role),
//  name (text: the digest's beginning, or the account), members (integer), accounts (integer: all)
// Example: :param group => 'd73645a0c1f2'
// Example: :param many => 50
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
CALL (visible, found) {
  MATCH (found)-[:INCLUDES]->(member:Account)-[s:SEEN_WITH]->(shared:Identifier)
  WHERE s.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:SEEN_WITH {uid: s.uid}]->()
      WHERE later.revision > s.revision AND later.batch IN visible
    }
  WITH visible, shared, count(DISTINCT member) AS members
  WHERE members >= 2
  RETURN 'identifier' AS hub, shared.identifier_kind AS kind, left(shared.digest, 12) AS name,
    members, COUNT {
      MATCH (shared)<-[o:SEEN_WITH]-(any:Account)
      WHERE o.batch IN visible
        AND NOT EXISTS {
          MATCH ()-[later:SEEN_WITH {uid: o.uid}]->()
          WHERE later.revision > o.revision AND later.batch IN visible
        }
      RETURN DISTINCT any LIMIT 1000
    } AS accounts
  UNION ALL
  MATCH (found)-[:INCLUDES]->(member:Account)-[t:TRANSFERRED]-(other:Account)
  WHERE t.batch IN visible AND member <> other
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
      WHERE later.revision > t.revision AND later.batch IN visible
    }
  WITH visible, other, count(DISTINCT member) AS members
  WHERE members >= 2
  RETURN 'account' AS hub, head(COLLECT {
      MATCH (other)-[:DESCRIBED]->(said:Attribute)
      WHERE said.batch IN visible AND said.role IS NOT NULL
        AND NOT EXISTS {
          MATCH (later:Attribute {uid: said.uid})
          WHERE later.revision > said.revision AND later.batch IN visible
        }
      RETURN said.role
      ORDER BY said.valid_from IS NULL, said.valid_from DESC, said.role DESC
      LIMIT 1
    }) AS kind, other.id AS name,
    members, COUNT {
      MATCH (other)-[o:TRANSFERRED]-(any:Account)
      WHERE o.batch IN visible AND any <> other
        AND NOT EXISTS {
          MATCH ()-[later:TRANSFERRED {uid: o.uid}]->()
          WHERE later.revision > o.revision AND later.batch IN visible
        }
      RETURN DISTINCT any LIMIT 1000
    } AS accounts
}
WITH hub, kind, name, members, accounts
WHERE accounts >= $many
RETURN hub, kind, name, members, accounts
ORDER BY accounts DESC, members DESC, hub, name
LIMIT 100
