# Everything probedarts links against, found once. All of it comes from the system; nothing is downloaded.
find_package(Threads REQUIRED)
find_package(Torch 1.13 REQUIRED)  # a floor and no ceiling; a newer LibTorch comes by CMAKE_PREFIX_PATH
find_package(nlohmann_json 3.9 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(tomlplusplus 3.0 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(hwy 1.0 REQUIRED)  # SIMD of the kernels
find_package(ZLIB REQUIRED)  # checksums and deflate of zipped checkpoints
if(PROBEDARTS_TESTS)
  find_package(GTest REQUIRED)
endif()
if(PROBEDARTS_BENCH)
  find_package(benchmark REQUIRED)
endif()

# Debian ships OpenCV's modules one by one, without the package configuration of the whole.
find_path(PROBEDARTS_OPENCV_INCLUDE opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4 REQUIRED)
add_library(probedarts_opencv INTERFACE)
target_include_directories(probedarts_opencv SYSTEM INTERFACE ${PROBEDARTS_OPENCV_INCLUDE})
foreach(module IN ITEMS core imgproc imgcodecs)
  find_library(PROBEDARTS_OPENCV_${module} opencv_${module} REQUIRED)
  target_link_libraries(probedarts_opencv INTERFACE ${PROBEDARTS_OPENCV_${module}})
endforeach()

find_path(PROBEDARTS_XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(PROBEDARTS_XXHASH xxhash REQUIRED)
add_library(probedarts_xxhash INTERFACE)
target_include_directories(probedarts_xxhash SYSTEM INTERFACE ${PROBEDARTS_XXHASH_INCLUDE})
target_link_libraries(probedarts_xxhash INTERFACE ${PROBEDARTS_XXHASH})

# LibTorch without its global flags; system includes, so that its warnings stay its own.
add_library(probedarts_torch INTERFACE)
target_include_directories(probedarts_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(probedarts_torch INTERFACE ${TORCH_LIBRARIES})

add_library(probedarts_flags INTERFACE)
target_compile_features(probedarts_flags INTERFACE cxx_std_20)
separate_arguments(probedarts_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(probedarts_flags INTERFACE
  ${probedarts_torch_flags}  # the ABI flag changes std::string, so it goes to all our code
  $<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wnon-virtual-dtor;-Woverloaded-virtual>)
if(PROBEDARTS_WERROR)
  target_compile_options(probedarts_flags INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()
if(PROBEDARTS_SANITIZE)
  target_compile_options(probedarts_flags INTERFACE
    -fsanitize=${PROBEDARTS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(probedarts_flags INTERFACE -fsanitize=${PROBEDARTS_SANITIZE})
endif()
