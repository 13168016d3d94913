"""Where photographs are taken: rooms, streets, walls, parks, the sea, paper; one place and light a person.

`scene` chooses; `rooms`, `streets`, `open_air` and `papers` build it out of `things`, which are made of
`pieces` with a finish that the shader knows; `light` says what falls on them; `drawing` draws them.
"""
