// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <utility>

namespace ward::cli {

CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& about) {
  return parent.add_subcommand(name, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::string& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::filesystem::path& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::vector<std::string>& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint16_t& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint32_t& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint64_t& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names, std::optional<std::uint32_t>& into,
                       const std::string& about) {
  return verb.add_option(names, into, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::string&)>& take,
                       const std::string& about) {
  return verb.add_option_function(names, take, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::uint64_t&)>& take,
                       const std::string& about) {
  return verb.add_option_function(names, take, about);
}

CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::vector<std::string>&)>& take,
                       const std::string& about) {
  return verb.add_option_function(names, take, about);
}

CLI::Option* add_switch(CLI::App& verb, const std::string& names, bool& into,
                        const std::string& about) {
  return verb.add_flag(names, into, about);
}

CLI::Option* add_switch(CLI::App& verb, const std::string& names, std::function<void()> take,
                        const std::string& about) {
  return verb.add_flag_callback(names, std::move(take), about);
}

CLI::Validator one_of(const std::vector<std::string>& words) { return CLI::IsMember(words); }

}  // namespace ward::cli
