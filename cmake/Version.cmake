# The commit goes into one small object file that is rebuilt only when it changes.
find_package(Git QUIET)
set(PROBEDARTS_COMMIT "unknown")
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
                  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE described
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(PROBEDARTS_COMMIT "${described}")
  endif()
  # Configure again when HEAD moves, so that a run folder names the commit that made it.
  if(EXISTS "${PROJECT_SOURCE_DIR}/.git/logs/HEAD")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/.git/logs/HEAD")
  endif()
endif()
configure_file("${PROJECT_SOURCE_DIR}/src/core/version.cpp.in" "${PROJECT_BINARY_DIR}/version.cpp" @ONLY)
