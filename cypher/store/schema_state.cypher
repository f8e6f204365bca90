// About: the indexes of the database, those of constraints too, and whether they serve.
// Parameters: none
// Rows: name (text), state (text), unique (boolean)
SHOW INDEXES YIELD name, state, owningConstraint
RETURN name, state, owningConstraint IS NOT NULL AS unique
