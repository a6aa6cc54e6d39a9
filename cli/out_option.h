// SPDX-License-Identifier: Apache-2.0
// Where `profile generate` and `profile compile` write. There -o is a file, as in compilers; only
// the words json and text mean the form of the answer, as they do everywhere else (a file of that
// name: -o ./json).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/options.h"
#include "cli/session.h"

namespace ward::cli {

inline void add_out_option(CLI::App& verb, Session& session,
                           std::function<void(const std::string&)> set_file) {
  add_value(
      verb, "-o,--out",
      [&session, set_file = std::move(set_file)](const std::vector<std::string>& words) {
        for (const std::string& word : words) {
          if (word == "json" || word == "text") {
            session.json = word == "json";
          } else {
            set_file(word);
          }
        }
      },
      "the file to write, standard output without; json or text: the form of the answer")
      ->allow_extra_args(false)
      ->type_name(kFileValue);
}

}  // namespace ward::cli
