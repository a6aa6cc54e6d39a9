// SPDX-License-Identifier: Apache-2.0
// Writes pages of sample incidents: `sample_pages FOLDER`.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "cli/incident/page.h"
#include "lib/base/file.h"
#include "tests/support/sample_incidents.h"

namespace {

int run(const std::filesystem::path& folder) {
  using namespace ward;
  const cli::Incident everyday = test::everyday_incident(), hostile = test::hostile_incident();
  const std::pair<const char*, std::string> pages[] = {
      {"everyday.html", cli::incident_page(everyday)},
      {"hostile.html", cli::incident_page(hostile)},
      {"largest.html", cli::incident_page(test::largest_incident())},
      {"overview.html", cli::overview_page(test::overview_of({everyday, hostile}))}};
  for (const auto& [name, text] : pages) {
    const auto written = write_file_atomically(folder / name, text, 0644, Durability::kNone);
    if (written) continue;
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2) return run(argv[1]);
    std::fputs("usage: sample_pages FOLDER\n", stderr);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sample_pages: %s\n", error.what());
    return 1;
  }
}
