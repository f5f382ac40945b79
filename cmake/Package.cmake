# `cmake --install` and `find_package(probedarts)`.
include(CMakePackageConfigHelpers)
get_property(room_targets GLOBAL PROPERTY PROBEDARTS_ROOM_TARGETS)
install(TARGETS ${room_targets} probedarts_flags probedarts_torch probedarts_opencv probedarts_xxhash
        EXPORT probedartsTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/probedarts FILES_MATCHING PATTERN "*.hpp")
install(EXPORT probedartsTargets NAMESPACE probedarts:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/probedarts)
configure_package_config_file(cmake/probedartsConfig.cmake.in "${PROJECT_BINARY_DIR}/probedartsConfig.cmake"
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/probedarts)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/probedartsConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/probedartsConfig.cmake" "${PROJECT_BINARY_DIR}/probedartsConfigVersion.cmake"
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/probedarts)
