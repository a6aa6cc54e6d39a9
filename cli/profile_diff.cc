// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"
#include "profiles/diff.h"

#include <memory>

#include "cli/app.h"
#include "cli/present/json_text.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "profiles/harm/danger.h"
#include "profiles/words.h"

namespace ward::cli {
namespace {

nlohmann::ordered_json changes(const std::vector<profiles::SyscallChange>& list) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& c : list) {
    out.push_back({{"layer", profiles::layer_name(c.layer)},
                   {"syscall", c.syscall},
                   {"before", c.before},
                   {"after", c.after},
                   {"dangerous", c.dangerous}});
  }
  return out;
}

std::vector<std::string> dangerous(std::vector<std::string> capabilities) {
  std::erase_if(capabilities,
                [](const std::string& name) { return !profiles::is_dangerous_capability(name); });
  return capabilities;
}

int run(Session& session, const std::string& before, const std::string& after) {
  const auto a = read_profile_file(before);
  if (!a) return session.fail(a.error());
  const auto b = read_profile_file(after);
  if (!b) return session.fail(b.error());
  const profiles::ProfileDiff difference = profiles::diff(*a, *b);
  if (session.json) {
    const nlohmann::ordered_json out = {
        {"schema", schema("ProfileDiff")},
        {"widens", difference.widens()},
        {"widened", changes(difference.widened)},
        {"narrowed", changes(difference.narrowed)},
        {"capabilities_added", difference.capabilities_added},
        {"dangerous_capabilities_added", dangerous(difference.capabilities_added)},
        {"capabilities_removed", difference.capabilities_removed},
        {"settings", difference.settings}};
    session.print(json_text(out));
    return difference.empty() ? kExitOk : kExitDifferent;
  }
  if (difference.empty()) {
    session.print("both allow the same\n");
    return kExitOk;
  }
  std::string text = profiles::format_diff(difference);
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = escape(text.substr(begin, end - begin), 1000);
    const char first = line.empty() ? ' ' : line[0];
    session.print((first == '+'   ? session.out.bad(line)
                   : first == '-' ? session.out.good(line)
                                  : line) +
                  "\n");
    begin = end + 1;
  }
  session.print((difference.widens() ? session.out.warn("the second allows more than the first")
                                     : "the second allows nothing that the first does not") +
                "\n");
  return kExitDifferent;
}

}  // namespace

void add_profile_diff(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(
      profile, "diff",
      "What a second profile allows that a first does not, and the reverse; needs no wardd");
  const auto before = std::make_shared<std::string>();
  const auto after = std::make_shared<std::string>();
  verb->footer(examples({"ward profile diff old.yaml new.yaml"}));
  add_value(*verb, "before", *before, "profile YAML")->required()->type_name(kFileValue);
  add_value(*verb, "after", *after, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  verb->callback(
      [&session, &exit_code, before, after] { exit_code = run(session, *before, *after); });
}

}  // namespace ward::cli
