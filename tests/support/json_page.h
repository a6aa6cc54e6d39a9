// SPDX-License-Identifier: Apache-2.0
// docs/json.md as a contract: what its tables say of every document that `ward` prints, and whether
// one is like that.
#pragma once

#include <map>
#include <string>

#include "lib/json/json.h"

namespace ward::test {

class JsonPage {
 public:
  JsonPage();  // reads the page; tests run in the source directory

  using Fields = std::map<std::string, std::string>;  // name to type, as the table says
  [[nodiscard]] const std::map<std::string, Fields>& tables() const { return tables_; }

  // Why a document is not as its `schema` says, with the path to the first thing that is wrong;
  // empty: it is.
  [[nodiscard]] std::string why_not(const nlohmann::json& document) const;

 private:
  [[nodiscard]] std::string why_not_table(const nlohmann::json& value, const std::string& table,
                                          const std::string& path) const;
  [[nodiscard]] std::string why_not_type(const nlohmann::json& value, const std::string& type,
                                         const std::string& path) const;

  std::map<std::string, Fields> tables_;
};

// 64-bit integers, which are text in the JSON, as the numbers they are: for tests that count.
nlohmann::json with_numbers(nlohmann::json document);

}  // namespace ward::test
