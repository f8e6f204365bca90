// About: a member of the largest current group with at most three of its facts of each kind: how
//  facts lie in this database.
// Parameters: none
// Rows: fact (path: from the account along a fact)
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)-[:FOUND]->(found:Group)
WITH visible, found
ORDER BY found.share DESC, found.id
LIMIT 1
MATCH (found)-[includes:INCLUDES]->(account:Account)
WITH visible, account
ORDER BY includes.share DESC, account.id
LIMIT 1
CALL (visible, account) {
  MATCH fact = (account)-[t:TRANSFERRED]-(:Account)
  WHERE t.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
      WHERE later.revision > t.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[r:REFERRED]-(:Account)
  WHERE r.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:REFERRED {uid: r.uid}]->()
      WHERE later.revision > r.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[s:SEEN_WITH]->(:Identifier)
  WHERE s.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:SEEN_WITH {uid: s.uid}]->()
      WHERE later.revision > s.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[l:LINKED]-(:Account)
  WHERE l.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:LINKED {uid: l.uid}]->()
      WHERE later.revision > l.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[:BOUGHT]->(p:Purchase)
  WHERE p.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Purchase {uid: p.uid})
      WHERE later.revision > p.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[:HELD]->(h:Holding)
  WHERE h.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Holding {uid: h.uid})
      WHERE later.revision > h.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
  UNION ALL
  MATCH fact = (account)-[:DESCRIBED]->(d:Attribute)
  WHERE d.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Attribute {uid: d.uid})
      WHERE later.revision > d.revision AND later.batch IN visible
    }
  RETURN fact LIMIT 3
}
RETURN fact
LIMIT 21
