# The preset `check` builds nothing of its own: it configures and builds dev, release and the targets of fuzz, each in
# its own folder, and one ctest run covers all. Each inner build knows for itself what is out of date.
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_PHYSICAL_CORES)
set(presets dev release fuzz)
set(target_of_fuzz --target fuzz_targets)
set(commands "")
set(folders "")
foreach(preset IN LISTS presets)
    list(APPEND commands
        COMMAND "${CMAKE_COMMAND}" --preset ${preset}
        COMMAND "${CMAKE_COMMAND}" --build --preset ${preset} --parallel ${cores} ${target_of_${preset}})
    string(APPEND folders " \"${PROJECT_SOURCE_DIR}/build/${preset}\"")
endforeach()

add_custom_target(inner_builds ALL ${commands}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" USES_TERMINAL VERBATIM)

file(WRITE "${CMAKE_BINARY_DIR}/inner_tests.cmake" "subdirs(${folders})\n")
set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${CMAKE_BINARY_DIR}/inner_tests.cmake")
