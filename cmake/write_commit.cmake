# SPDX-License-Identifier: Apache-2.0
# cmake -D SOURCE=DIR -D OUTPUT=FILE -P write_commit.cmake: the body of lib/base/commit.h, written
# only where it differs.
cmake_minimum_required(VERSION 3.25)
set(commit unknown)
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE head
  OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
if(NOT failed)
  set(commit ${head})
  execute_process(COMMAND git -C ${SOURCE} diff --quiet HEAD -- RESULT_VARIABLE changed)
  if(changed)
    string(APPEND commit -changed)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
  "#include \"lib/base/commit.h\"\nconst char* ward::commit() { return \"${commit}\"; }\n")
