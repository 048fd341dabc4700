# How folders become targets. The DEPENDS lists in the folders' CMakeLists.txt are the arrows of the architecture:
# the linker sees them, and tests/tidy holds every #include against them.

# wrun_library(<folder> DEPENDS <folders…> [LIBS <targets…>])
# The static library wrun_<folder> of all sources below the calling folder. LIBS stay private to it.
# A folder of headers only becomes an interface library.
function(wrun_library folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LIBS")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/*.S")
    list(TRANSFORM arg_DEPENDS PREPEND wrun_)
    if(sources)
        add_library(wrun_${folder} STATIC ${sources})
        set(scope PUBLIC)
        target_compile_options(wrun_${folder} PRIVATE
            "$<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti>")
        target_link_libraries(wrun_${folder} PRIVATE ${arg_LIBS})
    else()
        add_library(wrun_${folder} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(wrun_${folder} ${scope} "${PROJECT_SOURCE_DIR}")
    target_link_libraries(wrun_${folder} ${scope} ${arg_DEPENDS})
endfunction()

# wrun_add_test(<name> COMMAND <command…> [LABELS …] [TIMEOUT seconds] [SERIAL])
# A ctest entry that cannot hang and that may say "skipped" with exit code 77. What it runs keeps nothing in the cache
# of whoever tests.
function(wrun_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "COMMAND;LABELS")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    set(test "${name}${WRUN_TEST_SUFFIX}")
    add_test(NAME ${test} COMMAND ${arg_COMMAND})
    set_tests_properties(${test} PROPERTIES
        TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 LABELS "${arg_LABELS}" RUN_SERIAL "${arg_SERIAL}"
        ENVIRONMENT "${WRUN_SANITIZER_ENVIRONMENT};WRUN_CACHE_DIR=;GTEST_BRIEF=1")
endfunction()

# wrun_unit_tests(<folder> [OVER <library's folder>])
# tests/<folder>/*_test.cpp as the program <folder>_test over wrun_<folder>; nothing where there are none yet.
function(wrun_unit_tests folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "OVER" "")
    if(NOT arg_OVER)
        set(arg_OVER ${folder})
    endif()
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.cpp")
    if(NOT sources)
        return()
    endif()
    add_executable(${folder}_test ${sources})
    target_link_libraries(${folder}_test PRIVATE
        wrun_${arg_OVER} wrun_test_support GTest::gmock GTest::gtest GTest::gtest_main)
    target_compile_definitions(${folder}_test PRIVATE "WRUN_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    # Under sanitizers most of a build's time went into optimising tests. The encoder's compare millions of encodings.
    if(WRUN_SANITIZE AND NOT folder STREQUAL "codegen")
        target_compile_options(${folder}_test PRIVATE -O0)
    endif()
    wrun_add_test(${folder} COMMAND ${folder}_test LABELS unit)
endfunction()
