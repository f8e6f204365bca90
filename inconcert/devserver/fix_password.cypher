// About: gives the user of a new server, whose password Neo4j wants to be changed, that of its owner.
// Parameters: password (text)
// Rows: none
ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $password
