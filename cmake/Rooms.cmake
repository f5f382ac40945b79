# probedarts_room(NAME SOURCES a.cpp ... [USES rooms] [LIBS targets] [TORCH] [TESTS ...] [GOLDEN ...] [BENCHES ...]
#                 [ONE_BY_ONE])
#
# One static library probedarts::NAME from src/NAME. USES names the rooms it may include. TESTS become the
# executable NAME_test (ctest label NAME); GOLDEN become NAME_golden_test (labels NAME and golden); BENCHES become
# NAME_bench (Google Benchmark, with PROBEDARTS_BENCH only). With PROBEDARTS_UNITY eight sources are compiled as one, since
# most of the time goes into headers of libraries: names in unnamed namespaces are then shared within a room, and within its
# tests. Without it, as in the asan and tsan presets, a missing include shows. ONE_BY_ONE exempts a room's sources.
function(probedarts_room room)
  cmake_parse_arguments(ARG "TORCH;ONE_BY_ONE" "" "SOURCES;USES;LIBS;TESTS;GOLDEN;BENCHES" ${ARGN})
  set(target probedarts_${room})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(probedarts::${room} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room})
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/probedarts>)
  target_link_libraries(${target} ${scope} probedarts_flags ${ARG_LIBS})
  if(ARG_TORCH)
    target_link_libraries(${target} ${scope} probedarts_torch)
  endif()
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${target} ${scope} probedarts::${used})
  endforeach()
  if(ARG_SOURCES AND NOT ARG_ONE_BY_ONE)
    probedarts_compile_together(${target})
  endif()
  set_property(GLOBAL APPEND PROPERTY PROBEDARTS_ROOM_TARGETS ${target})
  if(PROBEDARTS_TESTS)
    if(ARG_TESTS)
      probedarts_test(${room}_test LABELS ${room} SOURCES ${ARG_TESTS} LIBS probedarts::${room})
    endif()
    if(ARG_GOLDEN)
      probedarts_test(${room}_golden_test LABELS ${room} golden SOURCES ${ARG_GOLDEN} LIBS probedarts::${room})
      # In float32 the order of a sum decides on which side of a ReLU's kink a pixel near it falls, and OpenBLAS
      # orders its sums by processor. One kernel everywhere makes these tests mean the same on every machine.
      set_tests_properties(${room}_golden_test PROPERTIES ENVIRONMENT OPENBLAS_CORETYPE=Haswell)
    endif()
  endif()
  if(PROBEDARTS_BENCH AND ARG_BENCHES)
    add_executable(${room}_bench ${ARG_BENCHES})
    target_include_directories(${room}_bench PRIVATE ${PROJECT_SOURCE_DIR}/tests)  # support/
    target_link_libraries(${room}_bench PRIVATE probedarts::${room} benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()

function(probedarts_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${PROBEDARTS_UNITY} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# probedarts_test(NAME LABELS ... SOURCES ... LIBS ...): one GoogleTest executable, one ctest entry a suite of it.
function(probedarts_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 180)  # an executable should need less than 60 s; a busy machine gets three times that
    if(PROBEDARTS_SANITIZE)
      set(ARG_TIMEOUT 600)
    endif()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  probedarts_compile_together(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} probedarts_test_support GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# probedarts_embed(ROOM kName=file ...) makes page_files.cpp of a room, which carries the files as bytes; its name is in
# the caller's `page_files`. ROOM/page_files.hpp declares what is in it, in probedarts::ROOM::page_files.
function(probedarts_embed room)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/page_files.cpp")
  set(embed "${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake")
  list(TRANSFORM ARGN REPLACE "^[^=]+=" "" OUTPUT_VARIABLE files)
  add_custom_command(OUTPUT "${output}"
    COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${output}" -DHEADER=${room}/page_files.hpp
            -DNAMESPACE=probedarts::${room}::page_files "-DFILES=${ARGN}" -P "${embed}"
    DEPENDS ${files} "${embed}"
    VERBATIM)
  set(page_files "${output}" PARENT_SCOPE)
endfunction()
