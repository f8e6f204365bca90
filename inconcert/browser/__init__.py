"""What Neo4j Browser is given: guides, saved queries and a style, and a server for them."""
