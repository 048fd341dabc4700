# The preset `check` builds nothing of its own: it configures and builds dev and release, each in its own folder, and one
# ctest run covers both and the checks of the tree itself.
enable_testing()
