# Flags that every target of ours is built with. Per-target ones (no exceptions, no RTTI) are in wrun.cmake.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()
# -g1 keeps line tables in release: profiles and crash reports name lines, and nothing slows down.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
set(CMAKE_C_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")

add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fno-semantic-interposition>")
# Builds of one commit are the same wherever the tree lies.
add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")

if(WRUN_DEVELOPER)
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Werror>")
    # GCC's plain -Wshadow takes the enumerators of an `enum class` for shadows of namespace names; clang's does not.
    add_compile_options(
        "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wshadow=local>" "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wshadow>")
endif()

if(WRUN_SANITIZE)
    list(JOIN WRUN_SANITIZE "," sanitizers)
    add_compile_options("-fsanitize=${sanitizers}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options("-fsanitize=${sanitizers}")
    # GCC's flow analysis loses its way in instrumented standard headers (<regex>); its manual says so too.
    add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>")
    if("undefined" IN_LIST WRUN_SANITIZE)
        # Needs the type information that -fno-rtti leaves out.
        add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>")
    endif()
endif()

if(WRUN_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    # clang's address sanitizer spends minutes on the walk over a body when all of it is one function.
    add_compile_definitions(WRUN_PLAIN_INLINE)
endif()

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()
