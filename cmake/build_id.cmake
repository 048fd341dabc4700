# Writes the build id (engine/build_id.hpp) as a C++ file: the digest of all sources below the FOLDERS of ROOT, which is
# all that generated code and artifacts follow from, and of TOOLS, a text that names the compiler, flags and libraries.
# Runs whenever a source changes: cmake -D ROOT=… -D FOLDERS=… -D TOOLS=… -D OUTPUT=… -P build_id.cmake
set(patterns ${FOLDERS})
list(TRANSFORM patterns PREPEND "${ROOT}/")
foreach(ending IN ITEMS cpp hpp def S inc)
    foreach(folder IN LISTS patterns)
        file(GLOB_RECURSE found RELATIVE "${ROOT}" "${folder}/*.${ending}")
        list(APPEND sources ${found})
    endforeach()
endforeach()
list(SORT sources)
set(text "${TOOLS}\n")
foreach(source IN LISTS sources)
    file(SHA256 "${ROOT}/${source}" digest)
    string(APPEND text "${digest} ${source}\n")
endforeach()
string(SHA256 id "${text}")
string(REGEX REPLACE "(..)" "0x\\1, " bytes "${id}")
file(WRITE "${OUTPUT}"
    "// Made by cmake/build_id.cmake.\n#include \"engine/build_id.hpp\"\n\n"
    "namespace wrun::engine {\nconst Sha256Digest build_id = {${bytes}};\n}  // namespace wrun::engine\n")
