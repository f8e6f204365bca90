// About: a server's life in short, run once against an empty one of our own to have its classes ready.
// Parameters: none
// Rows: none
CREATE CONSTRAINT FOR (n:Node) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT FOR ()-[r:NEXT]-() REQUIRE (r.id, r.revision) IS UNIQUE;
CREATE INDEX FOR ()-[r:NEXT]-() ON (r.seq);
UNWIND range(1, 1000) AS i MERGE (n:Node {id: i}) SET n.at = datetime({epochSeconds: i});
UNWIND range(1, 999) AS i MATCH (a:Node {id: i}) MATCH (b:Node {id: i + 1})
CREATE (a)-[:NEXT {id: i, revision: 1, seq: i}]->(b);
MATCH (a)-[r:NEXT]->(b) WHERE 10 <= r.seq < 500 RETURN collect(a.id), collect(b.id), count(*);
MATCH p = (:Node {id: 1})-[:NEXT*1..3]->(n) RETURN collect(n.id), length(p) ORDER BY length(p);
SHOW INDEXES;
MATCH (n:Node) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 100 ROWS
