// SPDX-License-Identifier: Apache-2.0
#include "cli/candidates.h"

#include <algorithm>

#include "cli/app.h"

namespace ward::cli {
namespace {

bool starts_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

// "TEXT:{text,json}" of CLI11: the words in braces.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}');
  std::vector<std::string> words;
  if (open == std::string::npos || close == std::string::npos) return words;
  for (std::size_t begin = open + 1; begin < close;) {
    const std::size_t end = std::min(type.find(',', begin), close);
    words.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

const CLI::App* find_verb(const CLI::App& app, std::string_view name) {
  const auto found =
      app.get_subcommands([&](const CLI::App* one) { return one->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

// Where the words before the last one lead to.
class Walk {
 public:
  explicit Walk(const CLI::App& app) : root_(app), at_(&app) {}

  void word(const std::string& word) {
    if (word == "=") return;  // bash cuts "--name=value" in three
    if (pending_ != nullptr) {
      pending_ = nullptr;
    } else if (!only_values_ && word == "--") {
      only_values_ = true;
    } else if (!only_values_ && word.size() > 1 && word.front() == '-') {
      const CLI::Option* option = find_option(word.substr(0, word.find('=')));
      const bool has_value =
          word.find('=') != std::string::npos || (word[1] != '-' && word.size() > 2);
      if (option != nullptr && takes_value(*option) && !has_value) pending_ = option;
    } else if (const CLI::App* verb = values_ == 0 ? find_verb(*at_, word) : nullptr) {
      at_ = verb;
    } else {
      values_before_.push_back(word);
      ++values_;
    }
  }

  [[nodiscard]] Candidates end(const std::string& typed, const NamesOf& names_of) const {
    Candidates found;
    const std::size_t equals = typed.find('=');
    if (pending_ != nullptr) {
      add_values(found, *pending_, typed == "=" ? "" : typed, "", names_of);
    } else if (!only_values_ && starts_with(typed, "--") && equals != std::string::npos) {
      const CLI::Option* option = find_option(typed.substr(0, equals));
      if (option != nullptr)
        add_values(found, *option, typed.substr(equals + 1), typed.substr(0, equals + 1), names_of);
    } else if (!only_values_ && !typed.empty() && typed.front() == '-') {
      add_options(found, typed);
    } else {
      add_verbs(found, *at_, typed);
      if (const CLI::Option* value = positional()) add_values(found, *value, typed, "", names_of);
    }
    return found;
  }

 private:
  [[nodiscard]] const CLI::Option* find_option(const std::string& name) const {
    for (const CLI::App* app = at_; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* option : app->get_options()) {
        if (option->check_name(name.substr(0, name.size() > 1 && name[1] != '-' ? 2 : name.size())))
          return option;
      }
    }
    return nullptr;
  }

  [[nodiscard]] const CLI::Option* positional() const {
    std::size_t left = values_;
    for (const CLI::Option* option : at_->get_options()) {
      if (!option->get_positional()) continue;
      const auto most = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 1));
      if (left < most) return option;
      left -= most;
    }
    return nullptr;
  }

  static void add_verbs(Candidates& found, const CLI::App& of, const std::string& typed) {
    for (const CLI::App* verb : of.get_subcommands([](const CLI::App*) { return true; })) {
      if (starts_with(verb->get_name(), typed))
        found.words.push_back({verb->get_name(), verb->get_description()});
    }
  }

  void add_options(Candidates& found, const std::string& typed) const {
    for (const CLI::App* app = at_; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_lnames())
          add_option(found, typed, "--" + name, *option);
        for (const std::string& name : option->get_snames())
          add_option(found, typed, "-" + name, *option);
      }
    }
  }

  static void add_option(Candidates& found, const std::string& typed, const std::string& name,
                         const CLI::Option& option) {
    const bool there =
        std::any_of(found.words.begin(), found.words.end(),
                    [&](const Candidate& candidate) { return candidate.text == name; });
    if (!there && starts_with(name, typed)) found.words.push_back({name, option.get_description()});
  }

  void add_values(Candidates& found, const CLI::Option& option, const std::string& typed,
                  const std::string& before, const NamesOf& names_of) const {
    const std::string type = option.get_type_name();
    if (type == kFileValue) found.files = true;
    if (type == kVerbValue) return add_verbs_below(found, typed);
    auto values = choices_of(option);
    if (values.empty() && names_of) values = names_of(type);
    for (const std::string& value : values) {
      if (starts_with(value, typed)) found.words.push_back({before + value});
    }
  }

  // `ward help profile li`
  void add_verbs_below(Candidates& found, const std::string& typed) const {
    const CLI::App* of = &root_;
    for (const std::string& word : values_before_) {
      of = find_verb(*of, word);
      if (of == nullptr) return;
    }
    add_verbs(found, *of, typed);
  }

  const CLI::App& root_;
  const CLI::App* at_;
  const CLI::Option* pending_ = nullptr;  // waits for its value
  bool only_values_ = false;
  std::size_t values_ = 0;
  std::vector<std::string> values_before_;
};

}  // namespace

Candidates complete(const CLI::App& app, const std::vector<std::string>& words,
                    const NamesOf& names_of) {
  Walk walk(app);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) walk.word(words[i]);
  return walk.end(words.empty() ? "" : words.back(), names_of);
}

}  // namespace ward::cli
