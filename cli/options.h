// SPDX-License-Identifier: Apache-2.0
// Verbs, values and flags of the command line. CLI11 is all headers: what the verbs need of it is
// compiled once, here, and no longer in each of their files (ten seconds each).
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ward::cli {

// All throw CLI::OptionAlreadyAdded or CLI::BadNameString where the tree itself is wrong.
CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& about);

// `names`: "--since", "-n,--last", or a plain word for what stands without a dash.
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::string& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::filesystem::path& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::vector<std::string>& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint16_t& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint32_t& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::uint64_t& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names, std::optional<std::uint32_t>& into,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::string&)>& take,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::uint64_t&)>& take,
                       const std::string& about);
CLI::Option* add_value(CLI::App& verb, const std::string& names,
                       const std::function<void(const std::vector<std::string>&)>& take,
                       const std::string& about);

CLI::Option* add_switch(CLI::App& verb, const std::string& names, bool& into,
                        const std::string& about);
CLI::Option* add_switch(CLI::App& verb, const std::string& names, std::function<void()> take,
                        const std::string& about);

// For CLI::Option::check(): one of these words, which the help and the shells then list.
CLI::Validator one_of(const std::vector<std::string>& words);

}  // namespace ward::cli
