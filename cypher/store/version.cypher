// About: the version of the server.
// Parameters: none
// Rows: version (text)
CALL dbms.components() YIELD name, versions
WHERE name = 'Neo4j Kernel'
RETURN versions[0] AS version
