// SPDX-License-Identifier: Apache-2.0
// What this node lets run of itself (`amend: auto`): reads the journal's events now and then, a
// bounded number at a time, decides when it has read all of them, and keeps the book in the
// database. The composition root puts the overlays in force. Core loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/database/reader.h"
#include "enforcer/database/writer.h"
#include "enforcer/journal/journal.h"
#include "enforcer/overlay/amend_events.h"
#include "enforcer/overlay/amend_rows.h"
#include "profiles/learn/amend.h"

namespace ward::enforcer {

class Amendments {
 public:
  Amendments(Writer& writer, Journal& journal, std::filesystem::path database);

  // Once it has succeeded it does nothing more. Until then nothing is known, and nothing decided.
  Result<void> load();
  [[nodiscard]] bool is_loaded() const { return loaded_; }

  // `in_force`: digests of all profiles in force. What changed is journalled.
  Result<void> look(const profiles::Amendables& amendable, const std::set<std::string>& in_force,
                    const profiles::Living& living);

  // A person takes amendments back.
  std::vector<profiles::AmendCall> drop(const std::string& digest, const std::string& profile,
                                        const std::string& syscall);

  [[nodiscard]] const profiles::AmendBook& book() const { return kept_.book; }
  [[nodiscard]] profiles::Overlays overlays() const;
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  Result<bool> read(const profiles::Amendables& amendable, const profiles::Living& living);
  void tell(const profiles::AmendChange& change);
  void keep();

  Writer& writer_;
  Journal& journal_;
  Reader reader_;
  KeptAmendments kept_;
  AmendEvents events_;
  AmendRows written_;
  std::int64_t looked_ns_;
  std::int64_t kept_ns_ = 0;  // of watched time
  std::size_t waiting_ = 0;
  bool loaded_ = false;
  bool distrust_ = false;  // events are gone that were not read
  bool changed_ = false;
};

}  // namespace ward::enforcer
