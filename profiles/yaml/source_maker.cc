// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/source_maker.h"

#include <cstdio>
#include <exception>

#include "lib/base/file.h"

namespace ward::profiles {
namespace {

int run(const char* from, const char* to, const MakeSource& make) {
  const auto text = read_file(from);
  const auto source = text ? make(*text, from) : tl::unexpected<Error>(text.error());
  const auto written = source ? write_file_atomically(to, *source, 0644, Durability::kNone)
                              : tl::unexpected<Error>(source.error());
  if (!written) std::fprintf(stderr, "%s\n", written.error().message.c_str());
  return written ? 0 : 1;
}

}  // namespace

std::string cpp_literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

int make_source(int argc, char** argv, const MakeSource& make) {
  try {
    if (argc == 3) return run(argv[1], argv[2], make);
    std::fprintf(stderr, "usage: %s document.yaml source.cc\n", argv[0]);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace ward::profiles
