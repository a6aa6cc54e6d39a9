// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request to `ward view --serve`: whoever does not know the token gets no page.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/incident/view_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string head(reinterpret_cast<const char*>(data), size);
  const auto verdict = ward::cli::judge_request(head, "k3y0", 80);
  if (verdict.status == 200 && head.find("/k3y0/") == std::string::npos) std::abort();
  if (verdict.page.find('/') != std::string::npos) std::abort();
  return 0;
}
