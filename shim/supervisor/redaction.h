// SPDX-License-Identifier: Apache-2.0
// What of a process's arguments and environment evidence keeps. The rule names what is kept;
// whatever it does not know is replaced by its length, because a secret may stand anywhere. Pure;
// the results still need escape().
//
//   kept                                                              instead of the rest
//   argv[0] where it is the path that /proc/PID/exe says; else its    <redacted, N bytes>
//     last part, where that is the name of exe or the process's comm
//   "-", "--", and options of one letter: -v                          <redacted, N bytes>
//   names of long options: --log-level, and before a value            --log-level=<redacted>
//   names of variables: DB_PASSWORD, http_proxy                       DB_PASSWORD=<redacted>
//
// A name is words of letters of one case, each with three digits at most behind it, joined by '-'
// or '_': long enough for real names, too short and too plain for keys, tokens and base64.
#pragma once

#include <string>
#include <string_view>

namespace ward::shim::supervisor {

std::string redact_program(std::string_view argument, std::string_view exe,
                           std::string_view comm);       // argv[0]
std::string redact_argument(std::string_view argument);  // the others
std::string redact_variable(std::string_view variable);

}  // namespace ward::shim::supervisor
