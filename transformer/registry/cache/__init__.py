"""The resolution cache: what registries have answered lately, here (SQLite) or for a fleet (Redis).

`lookups` says which answer may be used and for how long, `places` under which keys it stands, `entries` how it is
written down; `local` and `shared` are the two stores, `store` what both promise. A store is never the reason why a run
fails or tells something wrong: what it cannot do is done without it. Policies and pull secrets are read elsewhere, and
which store a run uses is decided by its surface.
"""
