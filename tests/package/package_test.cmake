# Installs the libraries under a temporary prefix, builds examples/find_package against them and runs it.
#   cmake -DSOURCE=<project> -DBINARY=<build tree> -DGENERATOR=<name> -DCOMPILER=<c++> -P package_test.cmake
# LibTorch is hidden from the example, and its link line looked at: who uses `space` must need neither it nor OpenCV.
set(work "${BINARY}/package_test")
file(REMOVE_RECURSE "${work}")

function(run output)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${code}:\n${text}")
  endif()
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

run(log ${CMAKE_COMMAND} --install "${BINARY}" --prefix "${work}/prefix")
run(log ${CMAKE_COMMAND} -S "${SOURCE}/examples/find_package" -B "${work}/build" -G "${GENERATOR}"
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${work}/prefix -DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON)
run(log ${CMAKE_COMMAND} --build "${work}/build" --verbose)
foreach(library IN ITEMS torch opencv)
  if(log MATCHES "lib${library}[^ ]*\\.so|-l${library}")
    message(FATAL_ERROR "the example links ${CMAKE_MATCH_0}, which `space` does not need:\n${log}")
  endif()
endforeach()
run(first "${work}/build/random_cell" 1)
run(again "${work}/build/random_cell" 1)
run(other "${work}/build/random_cell" 2)
if(NOT first MATCHES "^Genotype\\(normal=\\[\\('[a-z_0-9]+', [01]\\), .*reduce_concat=range\\(2, 6\\)\\)\n$")
  message(FATAL_ERROR "the example printed no genotype of four nodes: ${first}")
endif()
if(NOT first STREQUAL again OR first STREQUAL other)
  message(FATAL_ERROR "equal seeds must give equal cells, others another:\n${first}${again}${other}")
endif()

# A component that does not exist is said by name.
file(WRITE "${work}/unknown/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)
project(unknown LANGUAGES CXX)
find_package(probedarts REQUIRED COMPONENTS spce)\n")
execute_process(COMMAND ${CMAKE_COMMAND} -S "${work}/unknown" -B "${work}/unknown/build" -G "${GENERATOR}"
                -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${work}/prefix
                RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
string(REGEX REPLACE "[ \n]+" " " text "${text}")
if(code EQUAL 0 OR NOT text MATCHES "probedarts has no room called 'spce'; choose from core")
  message(FATAL_ERROR "an unknown component must be refused by name; cmake ended with ${code}:\n${text}")
endif()

# Installed whole, it can be found whole, LibTorch included.
file(WRITE "${work}/whole/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)
project(whole LANGUAGES CXX)
find_package(probedarts REQUIRED)
foreach(room IN LISTS probedarts_ROOMS)
  if(NOT TARGET probedarts::\${room})
    message(FATAL_ERROR \"no target probedarts::\${room}\")
  endif()
endforeach()\n")
run(log ${CMAKE_COMMAND} -S "${work}/whole" -B "${work}/whole/build" -G "${GENERATOR}"
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${work}/prefix)
file(REMOVE_RECURSE "${work}")
