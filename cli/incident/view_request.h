// SPDX-License-Identifier: Apache-2.0
// A request to `ward view --serve`, judged: values in, a verdict out. Who may see the pages is who
// knows the token in their address, on this machine. A page of another origin that makes a browser
// ask (rebinding of a name, a form, a script) has the wrong Host, the wrong method or no token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ward::cli {

inline constexpr std::size_t kMaxRequestBytes = 8192;  // request line and headers

struct ViewVerdict {
  int status = 400;  // of HTTP; 200: show `page`
  std::string page;  // "" is the overview, else "incident-ID.html"
};

// `head` ends with the empty line. `token` is not empty.
ViewVerdict judge_request(std::string_view head, std::string_view token, std::uint16_t port);

// The whole answer, with headers that let a browser keep, run and frame nothing.
std::string http_answer(int status, std::string_view body);

}  // namespace ward::cli
