"""The Lua runtime of worlds.

A LuaJIT state per world, the trusted engine code in ``prelude/``, and what Python keeps of a world beside it.
"""
