# SPDX-License-Identifier: Apache-2.0
# Compiler flags, dependencies and the few functions the folders' CMakeLists.txt use.
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(Threads REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
add_link_options(-fuse-ld=lld)

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -fstack-protector-strong
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  $<$<CONFIG:Release>:-ffunction-sections> $<$<CONFIG:Release>:-fdata-sections>)
# In what developers and CI build; a packager's newer compiler may know warnings that nobody has
# seen.
option(WARD_WERROR "Warnings are errors" OFF)
if(WARD_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(WARD_VERSION="${PROJECT_VERSION}" ASIO_STANDALONE ASIO_NO_DEPRECATED)
include_directories(${PROJECT_SOURCE_DIR})

# ward_library(NAME SOURCES a.cc ... DEPS b c): one static library per folder; DEPS is exactly its
# row in the layer table.
function(ward_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
endfunction()

# What lib/base/commit.h promises.
set(commit_source ${CMAKE_BINARY_DIR}/generated/commit.cc)
set(WARD_WRITE_COMMIT ${CMAKE_COMMAND} -D SOURCE=$<IF:$<CONFIG:Release>,${PROJECT_SOURCE_DIR},/>
  -D OUTPUT=${commit_source} -P ${PROJECT_SOURCE_DIR}/cmake/write_commit.cmake)
add_custom_target(ward_find_commit COMMAND ${WARD_WRITE_COMMIT} BYPRODUCTS ${commit_source}
  VERBATIM)
add_library(ward_commit STATIC ${commit_source})
add_dependencies(ward_commit ward_find_commit)

# Only targets whose sources include lib/base/fault.h: the flag must not change what all others are
# compiled with.
function(ward_uses_faults target)
  if(WARD_FAULTS)
    target_compile_definitions(${target} PRIVATE WARD_FAULTS)
  endif()
endfunction()

# ward_proto(NAME LITE|FULL|GRPC files...): generated code below the build directory, included as
# "ward/node/v1/x.pb.h".
function(ward_proto name kind)
  set(out ${CMAKE_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(file ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" base ${file})
    set(generated ${out}/${base}.pb.cc ${out}/${base}.pb.h)
    set(options --cpp_out=${out})
    if(kind STREQUAL "GRPC")
      list(APPEND generated ${out}/${base}.grpc.pb.cc ${out}/${base}.grpc.pb.h)
      list(APPEND options --grpc_out=${out} --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin)
    endif()
    add_custom_command(OUTPUT ${generated}
      COMMAND protobuf::protoc ${options} -I ${PROJECT_SOURCE_DIR}/proto
        ${PROJECT_SOURCE_DIR}/proto/${file}
      DEPENDS ${PROJECT_SOURCE_DIR}/proto/${file} VERBATIM)
    list(APPEND sources ${generated})
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  # Not ours to mend, and a third of its compile time.
  target_compile_options(${name} PRIVATE -w -fno-sanitize=undefined)
  if(kind STREQUAL "LITE")
    # By name, so that a static executable gets the archive and all others the shared library.
    target_link_libraries(${name} PUBLIC protobuf-lite)
  elseif(kind STREQUAL "FULL")
    target_link_libraries(${name} PUBLIC ward_protobuf)
  else()
    target_link_libraries(${name} PUBLIC ward_protobuf ward_grpc)
  endif()
endfunction()

# A program with the property WARD_STATIC gets the archives, by their names; all others the shared
# libraries.
set(is_static $<BOOL:$<TARGET_PROPERTY:WARD_STATIC>>)
add_library(ward_grpc INTERFACE)
pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++)
target_link_libraries(ward_grpc INTERFACE
  "$<IF:${is_static},${GRPCPP_STATIC_LIBRARIES},PkgConfig::GRPCPP>")
add_library(ward_protobuf INTERFACE)
target_link_libraries(ward_protobuf INTERFACE
  $<IF:${is_static},protobuf,protobuf::libprotobuf>)

# Headers that take longer to parse than the files that include them. Every source still includes
# what it uses: clang-tidy and the fuzz build read it without these.
set(WARD_ASIO_HEADERS <asio/io_context.hpp> <asio/post.hpp> <asio/posix/stream_descriptor.hpp>
  <asio/steady_timer.hpp>
  <filesystem> <functional> <map> <memory> <string> <vector> <tl/expected.hpp>)

# Asio asks libstdc++ for aligned_alloc only where a standard header came before its own: one
# program would allocate with operator new and release with free. Nothing here is over-aligned.
function(ward_uses_asio target)
  target_compile_definitions(${target} PUBLIC ASIO_DISABLE_STD_ALIGNED_ALLOC)
endfunction()

# ward_share_asio(TARGETS...): use the headers that ward_ttrpc has precompiled.
function(ward_share_asio)
  foreach(target ${ARGN})
    ward_uses_asio(${target})
    target_precompile_headers(${target} REUSE_FROM ward_ttrpc)
  endforeach()
endfunction()

set(WARD_STANDARD_HEADERS <algorithm> <array> <cstdint> <filesystem> <functional> <map> <memory>
  <optional> <set> <span> <string> <string_view> <utility> <vector> <tl/expected.hpp>)

# ward_share_standard(TARGETS...): the standard headers that nearly every source reads, parsed once.
# A target has room for one set of precompiled headers: those with Asio's have these in them.
function(ward_share_standard)
  # Written where it differs: else each run of cmake would compile everything anew.
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/standard_headers.cc CONTENT
    "// generated: a target needs a source\n")
  add_library(ward_standard_headers OBJECT ${CMAKE_BINARY_DIR}/standard_headers.cc)
  target_precompile_headers(ward_standard_headers PRIVATE ${WARD_STANDARD_HEADERS})
  foreach(target ${ARGN})
    target_precompile_headers(${target} REUSE_FROM ward_standard_headers)
  endforeach()
endfunction()

# ward_share_json(TARGETS...): those, and nlohmann-json's, for folders that use it everywhere.
function(ward_share_json)
  target_precompile_headers(ward_json PRIVATE ${WARD_STANDARD_HEADERS}
    ${PROJECT_SOURCE_DIR}/lib/json/json.h)
  foreach(target ${ARGN})
    target_precompile_headers(${target} REUSE_FROM ward_json)
  endforeach()
endfunction()
