"""Search spaces that ship with aster-dse; see docs/spaces.md for how to write one."""
