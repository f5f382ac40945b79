# `cmake --install` and `find_package(probedarts)`: one exported target a room, found with or without LibTorch.
include(CMakePackageConfigHelpers)

# The packages that a user of `target` has to find as well: what stands before `::` in all that it links, and Torch.
# OpenCV and xxHash have no package files on Debian; their targets are exported with the paths found here.
function(probedarts_packages_behind target result)
  set(packages "")
  set(open "${target}")
  set(seen "")
  while(open)
    list(POP_FRONT open item)
    if(item IN_LIST seen)
      continue()
    endif()
    list(APPEND seen "${item}")
    if(item STREQUAL "probedarts_torch")
      list(APPEND packages Torch)
    elseif(item MATCHES "^probedarts")
      get_target_property(links ${item} INTERFACE_LINK_LIBRARIES)
      if(links)
        list(TRANSFORM links REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1")
        list(APPEND open ${links})
      endif()
    elseif(item MATCHES "^(.+)::")
      list(APPEND packages ${CMAKE_MATCH_1})
    endif()
  endwhile()
  list(REMOVE_DUPLICATES packages)
  set(${result} "${packages}" PARENT_SCOPE)
endfunction()

get_property(room_targets GLOBAL PROPERTY PROBEDARTS_ROOM_TARGETS)
set(package_rooms "")
set(package_needs "")
foreach(target IN LISTS room_targets)
  string(REPLACE "probedarts_" "" room ${target})
  probedarts_packages_behind(${target} needs)
  list(JOIN needs " " needs)
  string(APPEND package_rooms " ${room}")
  string(APPEND package_needs "set(probedarts_NEEDS_${room} ${needs})\n")
endforeach()

# All that an installation needs but the program: `cmake --build <tree> --target rooms`, without tests and benchmarks.
add_custom_target(rooms)
add_dependencies(rooms ${room_targets})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/probedarts)
configure_package_config_file(cmake/probedartsConfig.cmake.in "${PROJECT_BINARY_DIR}/probedartsConfig.cmake"
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/probedartsConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)

if(TARGET probedarts)
  install(TARGETS probedarts RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS ${room_targets} probedarts_flags probedarts_torch probedarts_opencv probedarts_xxhash
        EXPORT probedartsTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT probedartsTargets NAMESPACE probedarts:: DESTINATION ${package_folder})
install(FILES "${PROJECT_BINARY_DIR}/probedartsConfig.cmake" "${PROJECT_BINARY_DIR}/probedartsConfigVersion.cmake"
        DESTINATION ${package_folder})
foreach(target IN LISTS room_targets)
  string(REPLACE "probedarts_" "" room ${target})
  install(DIRECTORY src/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/probedarts FILES_MATCHING PATTERN "*.hpp")
endforeach()
