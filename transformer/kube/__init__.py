"""Where images live in Kubernetes objects: the catalogue, the spellings, the search. States facts, judges nothing."""
