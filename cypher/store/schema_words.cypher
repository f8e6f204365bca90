// About: makes the names of relationship types and of what saved queries ask for known, so that
//  none of them warns that it does not exist yet.
// Parameters: types (list of text)
// Rows: none
UNWIND $types AS type
CALL db.createRelationshipType(type)
WITH count(*) AS types
UNWIND [
  'action', 'amount', 'as_of', 'at', 'bits', 'by', 'committed_at', 'complete_at', 'conflicts',
  'cost_bits', 'created_at', 'detectors', 'doubts', 'evidence_bits', 'families', 'grade', 'group',
  'groups', 'holdings', 'kind', 'known', 'known_at', 'latest_at', 'line', 'lines', 'loaded',
  'number', 'opened_at', 'p_value', 'position', 'pruned', 'quarantined', 'read', 'reasons',
  'receipt', 'result_sha256', 'role', 'share', 'share_without', 'size', 'source', 'step',
  'strength_bits', 'supply', 'target', 'user', 'valid_from', 'valid_until', 'verdict', 'why'
] AS property
CALL db.createProperty(property)
