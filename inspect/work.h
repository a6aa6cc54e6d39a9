// SPDX-License-Identifier: Apache-2.0
// The whole work of ward-inspect on descriptors: a request in, one JSON document out.
//
// The request, lines: "file FD PATH-IN-HEX OFFSET ..." for a mapped file and the offsets in it to
// name, "database FD" for the package database. That is a sequence of "dpkg NAME SIZE\n" or "apk
// NAME SIZE\n" with so many bytes behind each. Who writes it is the shim's evidence reader
// (shim/supervisor/evidence_inspect.cc).
#pragma once

#include <string>
#include <string_view>

#include "inspect/limits.h"

namespace ward::inspect {

// {"files": [{"symbols": ["main+0x12", ""], "package": "libc6", "digest": "md5", "same": true}]},
// a file for each of the request, in its order, as many as kMaxAnswerBytes holds; ASCII, texts
// escaped. `digest` and `same` only where the database has a digest and the file could be read.
// Never fails: what cannot be told is not there.
std::string answer(std::string_view request);

}  // namespace ward::inspect
