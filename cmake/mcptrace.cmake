# How every target of this project is built. One library a folder of src/, explicit source lists.
#
#   mcptrace_library(json SOURCES scanner.cc DEPENDS base LIBRARIES simdjson)   -> target mcptrace_json
#   mcptrace_test(json SOURCES scanner_test.cc DEPENDS json)                    -> json_test, run by ctest
#   mcptrace_fuzz(json_scan SOURCE json_scan.cc DEPENDS json)                   -> fuzz_json_scan; its corpus is a plain test

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(mcptrace_flags INTERFACE)
target_include_directories(mcptrace_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(mcptrace_flags INTERFACE MCPTRACE_VERSION="${PROJECT_VERSION}")
target_compile_options(mcptrace_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -Wthread-safety -fno-omit-frame-pointer
  -ftrivial-auto-var-init=zero -fstack-protector-strong)
target_link_options(mcptrace_flags INTERFACE -fuse-ld=lld -static-libstdc++ -static-libgcc -Wl,-z,relro,-z,now)
target_link_libraries(mcptrace_flags INTERFACE Threads::Threads)

if(MCPTRACE_SANITIZE STREQUAL "address")
  target_compile_options(mcptrace_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(mcptrace_flags INTERFACE -fsanitize=address,undefined)
elseif(MCPTRACE_SANITIZE STREQUAL "thread")
  target_compile_options(mcptrace_flags INTERFACE -fsanitize=thread)
  target_link_options(mcptrace_flags INTERFACE -fsanitize=thread)
elseif(MCPTRACE_SANITIZE STREQUAL "fuzzer")
  target_compile_options(mcptrace_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(mcptrace_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT MCPTRACE_SANITIZE STREQUAL "")
  message(FATAL_ERROR "MCPTRACE_SANITIZE=${MCPTRACE_SANITIZE}: use address, thread, fuzzer or nothing")
else()
  target_compile_definitions(mcptrace_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=3>)
endif()

if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  # What many programs link is optimised once.
  target_link_options(mcptrace_flags INTERFACE -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
endif()

function(mcptrace_names out)
  set(names "")
  foreach(name ${ARGN})
    list(APPEND names mcptrace_${name})
  endforeach()
  set(${out} ${names} PARENT_SCOPE)
endfunction()

function(mcptrace_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  mcptrace_names(depends ${ARG_DEPENDS})
  if(ARG_SOURCES)
    add_library(mcptrace_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(mcptrace_${name} PUBLIC mcptrace_flags ${depends} ${ARG_LIBRARIES} PRIVATE ${ARG_PRIVATE_LIBRARIES})
  else()
    add_library(mcptrace_${name} INTERFACE)
    target_link_libraries(mcptrace_${name} INTERFACE mcptrace_flags ${depends} ${ARG_LIBRARIES})
  endif()
endfunction()

function(mcptrace_test name)
  if(NOT MCPTRACE_TESTS)
    return()
  endif()
  find_package(GTest REQUIRED)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  mcptrace_names(depends ${ARG_DEPENDS})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${depends} ${ARG_LIBRARIES} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# A fuzz target is one file with LLVMFuzzerTestOneInput. Under MCPTRACE_SANITIZE=fuzzer it is a fuzzer; otherwise
# it is linked with tests/fuzz/replay.cc and runs over its corpus, and over mutations of it, as a plain test.
function(mcptrace_fuzz name)
  if(NOT MCPTRACE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SOURCE" "DEPENDS;LIBRARIES" ${ARGN})
  mcptrace_names(depends ${ARG_DEPENDS})
  if(MCPTRACE_SANITIZE STREQUAL "fuzzer")
    add_executable(fuzz_${name} ${ARG_SOURCE})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${ARG_SOURCE} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cc)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 300)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${depends} ${ARG_LIBRARIES})
endfunction()
