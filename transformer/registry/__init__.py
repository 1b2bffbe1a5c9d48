"""Who to ask: the one room that opens connections. Answers Questions; never sees a document."""
