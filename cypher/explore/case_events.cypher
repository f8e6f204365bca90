// About: what happened to a case of the review queue, in order. Words are left out.
// Parameters: case (text: its id)
// Rows: number (integer), at, user, role, action (text)
// Example: :param case => 'g2daf112f81'
MATCH (case:View {kind: 'case', key: $case})<-[:OF]-(event:Event)
RETURN event.number AS number, event.at AS at, event.user AS user, event.role AS role,
  event.action AS action
ORDER BY number
LIMIT 1000
