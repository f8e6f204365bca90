// About: the indexes of the database, those of constraints too, and whether they serve.
// Parameters: none
// Rows: name (text), state (text), unique (boolean), of (list of text: the label or type)
SHOW INDEXES YIELD name, state, owningConstraint, labelsOrTypes
RETURN name, state, owningConstraint IS NOT NULL AS unique, labelsOrTypes AS of
