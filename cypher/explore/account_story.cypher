// About: the story of one account: all that the store knows of it, the latest first.
// Parameters: account (text)
// Rows: at (datetime or null), what (text), other (text: account, identifier, role or receipt),
//  amount (float or null), uid (text), batch (integer)
// Example: :param account => 'alice'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (account:Account {id: $account})
CALL (visible, account) {
  MATCH (account)-[t:TRANSFERRED]->(other:Account)
  WHERE t.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
      WHERE later.revision > t.revision AND later.batch IN visible
    }
  RETURN t.at AS at, 'paid' AS what,
    other.id AS other, t.amount AS amount, t.uid AS uid, t.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)<-[t:TRANSFERRED]-(other:Account)
  WHERE t.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:TRANSFERRED {uid: t.uid}]->()
      WHERE later.revision > t.revision AND later.batch IN visible
    }
  RETURN t.at AS at, 'was paid by' AS what,
    other.id AS other, t.amount AS amount, t.uid AS uid, t.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[r:REFERRED]->(other:Account)
  WHERE r.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:REFERRED {uid: r.uid}]->()
      WHERE later.revision > r.revision AND later.batch IN visible
    }
  RETURN r.at AS at, 'referred' AS what,
    other.id AS other, null AS amount, r.uid AS uid, r.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)<-[r:REFERRED]-(other:Account)
  WHERE r.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:REFERRED {uid: r.uid}]->()
      WHERE later.revision > r.revision AND later.batch IN visible
    }
  RETURN r.at AS at, 'was referred by' AS what,
    other.id AS other, null AS amount, r.uid AS uid, r.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[s:SEEN_WITH]->(seen:Identifier)
  WHERE s.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:SEEN_WITH {uid: s.uid}]->()
      WHERE later.revision > s.revision AND later.batch IN visible
    }
  RETURN s.at AS at, 'seen with' AS what,
    seen.identifier_kind + ' ' + left(seen.digest, 12) AS other, null AS amount, s.uid AS uid,
    s.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[:BOUGHT]->(p:Purchase)
  WHERE p.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Purchase {uid: p.uid})
      WHERE later.revision > p.revision AND later.batch IN visible
    }
  RETURN p.at AS at, 'bought' AS what,
    p.receipt AS other, p.amount AS amount, p.uid AS uid, p.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[:HELD]->(h:Holding)
  WHERE h.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Holding {uid: h.uid})
      WHERE later.revision > h.revision AND later.batch IN visible
    }
  RETURN h.at AS at, 'held' AS what,
    null AS other, h.amount AS amount, h.uid AS uid, h.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[:DESCRIBED]->(d:Attribute)
  WHERE d.batch IN visible
    AND NOT EXISTS {
      MATCH (later:Attribute {uid: d.uid})
      WHERE later.revision > d.revision AND later.batch IN visible
    }
  RETURN coalesce(d.valid_from, d.opened_at) AS at, 'described as' AS what,
    d.role AS other, null AS amount, d.uid AS uid, d.batch AS batch
  ORDER BY at DESC LIMIT 500
  UNION ALL
  MATCH (account)-[l:LINKED]-(other:Account)
  WHERE l.batch IN visible
    AND NOT EXISTS {
      MATCH ()-[later:LINKED {uid: l.uid}]->()
      WHERE later.revision > l.revision AND later.batch IN visible
    }
  RETURN l.valid_from AS at, 'declared ' + l.verdict AS what,
    other.id AS other, null AS amount, l.uid AS uid, l.batch AS batch
  ORDER BY at DESC LIMIT 500
}
RETURN at, what, other, amount, uid, batch
ORDER BY at DESC, what, uid
LIMIT 500
