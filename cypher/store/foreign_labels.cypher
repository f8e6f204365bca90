// About: what is in the database: its nodes, and the labels and relationship types that are used.
// Parameters: none
// Rows: nodes (integer), labels (list of text), types (list of text)
CALL db.stats.retrieve('GRAPH COUNTS') YIELD data
RETURN head([row IN data.nodes WHERE row.label IS NULL | row.count]) AS nodes,
  [row IN data.nodes WHERE row.label IS NOT NULL AND row.count > 0 | row.label] AS labels,
  [row IN data.relationships
    WHERE row.relationshipType IS NOT NULL AND row.startLabel IS NULL AND row.endLabel IS NULL
      AND row.count > 0
    | row.relationshipType] AS types
