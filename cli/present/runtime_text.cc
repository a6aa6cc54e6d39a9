// SPDX-License-Identifier: Apache-2.0
#include "cli/present/runtime_text.h"

#include "lib/base/escape.h"

namespace ward::cli {

std::string runtime_title(const ward::v1::Runtime& runtime) {
  if (runtime.sha256().empty()) return "";
  constexpr std::size_t kDigits = 12;
  return escape(runtime.name()) + (runtime.version().empty() ? "" : " ") +
         escape(runtime.version()) + " (sha256:" + escape(runtime.sha256().substr(0, kDigits)) +
         ")";
}

std::string runtime_text(const ward::v1::Runtime& runtime, const Style& style) {
  std::string out = runtime_title(runtime);
  if (out.empty()) return "";
  out += " " + std::to_string(runtime.calls_size()) + " calls";
  if (runtime.since().empty()) return out;
  std::string changes;
  for (const auto& call : runtime.gained()) changes += style.warn("+" + escape(call)) + " ";
  for (const auto& call : runtime.lost()) changes += "-" + escape(call) + " ";
  return out + "; " + (changes.empty() ? "the same " : changes) + "since " +
         escape(runtime.since());
}

}  // namespace ward::cli
